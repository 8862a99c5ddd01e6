/* SPDX-License-Identifier: MIT */
/* The folder, the secret and the links of `chatbox dev`. */
#include "app/dev.h"

#include "app/keygen.h"
#include "app/settings.h"
#include "base/clock.h"
#include "base/newfile.h"
#include "guard/token.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SECRET_FILE DEV_FOLDER "/jwt-secret"
#define TOKEN_DAYS 30

bool
dev_secret_get(struct buf *out, char *why, size_t why_size)
{
    const char *wrong;

    if (access(SECRET_FILE, F_OK) != 0) {
        keygen_jwt(out);
        return true;
    }
    wrong = settings_read_file(SECRET_FILE, out);
    out->n -= out->n > 0 && out->p[out->n - 1] == '\n';
    if (wrong == NULL && (out->failed || out->n == 0)) {
        wrong = "has no secret in it; remove it";
    }
    if (wrong != NULL) {
        snprintf(why, why_size, "%s %s", SECRET_FILE, wrong);
        return false;
    }
    return true;
}

bool
dev_secret_keep(struct str secret, char *why, size_t why_size)
{
    bool kept;
    int fd;

    if (mkdir(DEV_FOLDER, 0700) != 0 && errno != EEXIST) {
        snprintf(why, why_size, "the folder %s cannot be made: %s", DEV_FOLDER,
                 strerror(errno));
        return false;
    }
    fd = open(SECRET_FILE, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0 && errno == EEXIST) {
        return true;
    }
    kept = fd >= 0 && newfile_write(fd, secret) == ERR_OK;
    if (!kept) {
        snprintf(why, why_size, "%s cannot be written: %s", SECRET_FILE,
                 strerror(errno));
    }
    if (fd >= 0) {
        close(fd);
    }
    return kept;
}

static void
put_link(const struct config *c, const char *authority,
         const struct token_claims *who, struct buf *out)
{
    struct token_claims claims = *who;
    bool bare = str_is(c->server_path_prefix, "/");

    claims.user_claim = c->auth_user_claim.p;
    claims.issuer = c->auth_issuer.p;
    claims.audience = c->auth_audience.p;
    claims.issued_s = clock_wall_ms() / 1000;
    claims.expires_s = claims.issued_s + TOKEN_DAYS * 86400;
    buf_printf(out, "  %-9s %s://%s%s/#token=", claims.user_id,
               c->server_tls_cert.n > 0 ? "https" : "http", authority,
               bare ? "" : c->server_path_prefix.p);
    token_sign_hs256(c->auth_jwt_secret, &claims, out);
    buf_putc(out, '\n');
}

void
dev_links(const struct config *c, const char *authority, struct buf *out)
{
    const char *roles[] = {c->auth_admin_roles.items[0].p, NULL};
    const struct token_claims user = {.user_id = "user", .name = "User"};
    const struct token_claims operator= {
        .user_id = "operator", .name = "Operator", .roles = roles};

    if (c->auth_jwt_secret.n == 0) {
        buf_puts(out, "Tokens are checked with a public key here: links need "
                      "a token of yours.\n");
        return;
    }
    buf_puts(out, "Open one of these in a browser:\n");
    put_link(c, authority, &user, out);
    put_link(c, authority, &operator, out);
}
