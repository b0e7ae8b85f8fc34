/* SPDX-License-Identifier: MIT
 *
 * The conformance kit: what a test of it is made of. A test is a function that calls the host and says what it expected; what
 * it opened by the functions here is closed behind it.
 */
#ifndef KIT_H
#define KIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "porthole/host.h"
#include "porthole/porthole.h"

enum {
  SHORT = 100,  /* milliseconds that are waited for in vain */
  LONG = 10000, /* … that nothing here takes */
  TOLERANCE = 20,
  PAGE = 65536
};

/** Where something listens, or doesn't. */
typedef struct endpoint {
  const char *host; /* not terminated */
  size_t host_length;
  uint32_t port;
  const char *text; /* "host:port" */
} endpoint;

/** What the kit was told about its surroundings; an endpoint without host was not given. */
typedef struct surroundings {
  endpoint plain;     /* the server of the kit … */
  endpoint tls;       /* … over TLS 1.3, with a certificate that the host trusts; not given to a host without TLS */
  endpoint untrusted; /* the same with a certificate that it doesn't trust */
  endpoint silent;    /* accepts and says nothing */
  endpoint nobody;    /* refuses */
  endpoint denied;    /* what the host's policy denies; not given to a host without a policy */
  uint32_t attempts;  /* of the hostile guest */
} surroundings;

extern surroundings given;

/** Reads the arguments: name=host:port, and attempts=COUNT. */
void read_arguments(void);

typedef struct test {
  const char *name;
  void (*run)(void);
} test;

/* Every file of tests has one table, ended by an empty row. */
extern const test tests_of_open[], tests_of_handles[], tests_of_bytes[], tests_of_memory[], tests_of_wait[],
    tests_of_info[], tests_of_tls[], tests_without_tls[], tests_of_policy[];

/* ---- expectations: each says what was wrong and lets the test go on ---- */

bool kit_equal(int32_t got, int32_t wanted, const char *what, const char *file, int line);
bool kit_one_of(int32_t got, const int32_t *wanted, size_t count, const char *what, const char *file, int line);
bool kit_holds(bool holds, const char *what, const char *file, int line);

#define EQUAL(got, wanted) kit_equal(got, wanted, #got, __FILE__, __LINE__)
#define ONE_OF(got, ...)                                                                                               \
  kit_one_of(got, (const int32_t[]){__VA_ARGS__}, sizeof((const int32_t[]){__VA_ARGS__}) / sizeof(int32_t), #got,      \
             __FILE__, __LINE__)
#define HOLDS(condition) kit_holds(condition, #condition, __FILE__, __LINE__)

/* ---- what tests do ---- */

/** Opens a connection to an endpoint and expects that it works. @returns its handle */
int32_t dial(const endpoint *to, uint32_t flags);

/** Remembers a handle for being closed behind the test. @returns the handle */
int32_t remember(int32_t handle);

/** Closes what was opened so far: a host may have few connections to spare. */
void hang_up(void);

/** Sends the head of a GET for a path of the kit's server, and expects that it is taken. */
void ask(int32_t handle, const endpoint *of, const char *path);

/** dial and ask at the plain server. @returns the handle */
int32_t fetch(const char *path);

/** dial, start_tls and ask at the TLS server. @returns the handle */
int32_t fetch_tls(const char *path);

/** Writes the head of a request: `start` is its request line without what ends it. @returns its length */
size_t write_head(char *to, const char *start, const char *host);

/** Sends all of them, and expects that it works. */
void send_all(int32_t handle, const uint8_t *data, size_t length);

/** Receives until there are `length` bytes, an end or an error. @returns how many came, or the error */
int32_t receive_all(int32_t handle, uint8_t *to, size_t length);

/** The byte at a place of what the server says. */
uint8_t pattern(size_t at);

/** Are these what the server says from a place on? */
bool is_pattern(const uint8_t *bytes, size_t length, size_t from);

bool is_host_error(int32_t result);

size_t text_length(const char *text);
size_t append(char *to, size_t at, const char *text);

#endif
