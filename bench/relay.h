/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_BENCH_RELAY_H
#define CHATBOX_BENCH_RELAY_H

/* What the load generator's model sends for one token: the shape and size of
 * an OpenAI-compatible chunk. %d is the token's number. */
#define RELAY_CHUNK                                                            \
    "data: {\"id\":\"chatcmpl-8Zk2xQ1w5mY7uJ3nC9bVtR4s\",\"object\":"          \
    "\"chat.completion.chunk\",\"created\":1795262400,\"model\":\"bench\","    \
    "\"system_fingerprint\":\"fp_44709d6fcb\",\"choices\":[{\"index\":0,"      \
    "\"delta\":{\"content\":\" tok%d\"},\"logprobs\":null,"                    \
    "\"finish_reason\":null}]}\n\n"

#endif
