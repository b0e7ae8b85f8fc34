/* SPDX-License-Identifier: MIT */
#define BARE_TLS
#include "bare.c"
