/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_TESTS_GATE_FIXTURE_H
#define CHATBOX_TESTS_GATE_FIXTURE_H

/* What the tests of the gate share: a house, and clients before its door. */
#include "house.h"
#include "http_client.h"
#include "ws_client.h"

#endif
