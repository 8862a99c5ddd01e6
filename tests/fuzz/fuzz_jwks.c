/* SPDX-License-Identifier: MIT */
/* guard/jwks: any document. A set that is taken has one key to JWKS_KEYS_MAX
 * of them, and none signs what nobody signed. */
#include "guard/jwks.h"

#include "base/buf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const algorithms[] = {"HS256", "RS256", "PS512", "ES256",
                                             "ES384", "ES512", "EdDSA"};
    static const char zeros[64];
    struct str text = {(const char *)data, size};
    struct str signature = {zeros, sizeof(zeros)};
    struct jwks *set;
    const char *why;

    if (jwks_parse(text, &set, &why) != ERR_OK) {
        CHECK(set == NULL && why != NULL);
        return 0;
    }
    CHECK(jwks_count(set) >= 1 && jwks_count(set) <= JWKS_KEYS_MAX);
    for (size_t i = 0; i < COUNT_OF(algorithms); i++) {
        const struct token_algorithm *a =
            token_keys_algorithm(str_from(algorithms[i]));

        CHECK(jwks_check(set, NULL, a, text, signature) == ERR_INVALID_TOKEN);
        CHECK(jwks_check(set, &text, a, text, signature) != ERR_OK);
    }
    jwks_free(set);
    return 0;
}
