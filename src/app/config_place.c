/* SPDX-License-Identifier: MIT */
#include "app/config_place.h"

#include "app/config_check.h"
#include "gate/client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#define PORT_MAX 65535

/* --- address and port --------------------------------------------------- */

/* Takes "address:" or "[address]:" off the front of *text. */
static bool
take_host(struct str *text, struct str *host, bool *brackets)
{
    *brackets = text->n > 0 && text->p[0] == '[';
    if (!*brackets) {
        return str_split(text, ':', host) && text->p != NULL;
    }
    *text = str_from_at(*text, 1);
    if (!str_split(text, ']', host) || text->n == 0 || text->p[0] != ':') {
        return false;
    }
    *text = str_from_at(*text, 1);
    return true;
}

static bool
fill_v4(struct sockaddr_storage *out, const char *host, uint64_t port)
{
    struct sockaddr_in in = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)port)};

    if (inet_pton(AF_INET, host, &in.sin_addr) != 1 ||
        in.sin_addr.s_addr == INADDR_ANY) {
        return false;
    }
    memcpy(out, &in, sizeof(in));
    return true;
}

static bool
fill_v6(struct sockaddr_storage *out, const char *host, uint64_t port)
{
    struct sockaddr_in6 in = {.sin6_family = AF_INET6,
                              .sin6_port = htons((uint16_t)port)};

    if (inet_pton(AF_INET6, host, &in.sin6_addr) != 1 ||
        IN6_IS_ADDR_UNSPECIFIED(&in.sin6_addr)) {
        return false;
    }
    memcpy(out, &in, sizeof(in));
    return true;
}

bool
config_place_parse(struct str text, struct sockaddr_storage *out)
{
    char room[INET6_ADDRSTRLEN];
    struct str host;
    uint64_t port;
    bool brackets;

    memset(out, 0, sizeof(*out));
    if (!take_host(&text, &host, &brackets) || host.n >= sizeof(room) ||
        text.n > 5 || !str_to_u64(text, PORT_MAX, &port) || port == 0) {
        return false;
    }
    memcpy(room, host.p, host.n);
    room[host.n] = '\0';
    if (strlen(room) != host.n) {
        return false;
    }
    return brackets ? fill_v6(out, room, port) : fill_v4(out, room, port);
}

uint16_t
config_place_port(const struct sockaddr_storage *place)
{
    /* The port stands in the same place in both families. */
    struct sockaddr_in in;

    memcpy(&in, place, sizeof(in));
    return ntohs(in.sin_port);
}

const char *
config_place_check(struct str text)
{
    struct sockaddr_storage place;

    return config_place_parse(text, &place) ? NULL
                                            : "is not an address with a port";
}

/* --- the rule ----------------------------------------------------------- */

/* The other servers have addresses like this one's. */
static bool
is_believed(const struct config *c, const struct client_address *a)
{
    const struct config_list *list = &c->server_trusted_proxies;

    for (size_t i = 0; i < list->count; i++) {
        struct gate_network n;

        if (config_check_network(list->items[i], n.address, &n.bits) &&
            client_in(a, &n, 1)) {
            return true;
        }
    }
    return false;
}

static void
complain(struct config_layers *l, const char *why)
{
    config_raw_error(
        l,
        (struct config_ref){&config_table_rows[CONFIG_ID_cluster_address], 0},
        l->rows[CONFIG_ID_cluster_address].text, why);
}

void
config_place_rule(struct config_layers *l, const struct config *c)
{
    struct client_address address;
    struct sockaddr_storage place;

    if (c->cluster_address.n == 0 || l->bad[CONFIG_ID_cluster_address] ||
        !config_place_parse(c->cluster_address, &place)) {
        return;
    }
    if (!l->bad[CONFIG_ID_store_kind] && c->store_kind != CONFIG_STORE_MONGO) {
        complain(l, "needs a database that several servers reach: store.kind "
                    "(STORE) must be mongo");
    }
    (void)client_from_peer((struct sockaddr *)&place, &address);
    if (!l->bad[CONFIG_ID_server_trusted_proxies] &&
        !is_believed(c, &address)) {
        complain(l, "is not within server.trusted_proxies (TRUSTED_PROXIES): "
                    "the servers of a database pass connections on to each "
                    "other as proxies do");
    }
}
