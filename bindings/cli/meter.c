/* SPDX-License-Identifier: MIT
 *
 * The meter on standard error.
 */
#include "cli.h"

enum { SECOND = 1000, MINUTE = 60, HOUR = 3600, DAY = 86400, KILO = 1024 };

/** Adds a number of bytes in five columns, as "12345", " 123k" and "12.3M". */
static void add_size(cli_text *to, uint64_t bytes) {
  static const char units[] = " kMGTPE";
  size_t unit = 0;
  uint64_t tenths = 0;
  if (bytes < 100000) {
    cli_add_number(to, bytes, 5, ' ');
    return;
  }
  while (bytes >= 10000 || unit == 0) {
    tenths = bytes % KILO * 10 / KILO;
    bytes /= KILO;
    unit++;
  }
  if (bytes < 100 && unit > 1) {
    cli_add_number(to, bytes, 2, ' ');
    cli_add_byte(to, '.');
    cli_add_number(to, tenths, 0, ' ');
  } else {
    cli_add_number(to, bytes, 4, ' ');
  }
  cli_add_byte(to, units[unit]);
}

/** Adds a time in eight columns: " 0:00:01", "--:--:--" for none, "  3d 04h". */
static void add_time(cli_text *to, uint64_t seconds) {
  if (seconds == 0) {
    cli_add(to, "--:--:--");
  } else if (seconds < 100 * (uint64_t)HOUR) {
    cli_add_number(to, seconds / HOUR, 2, ' ');
    cli_add_byte(to, ':');
    cli_add_number(to, seconds % HOUR / MINUTE, 2, '0');
    cli_add_byte(to, ':');
    cli_add_number(to, seconds % MINUTE, 2, '0');
  } else {
    cli_add_number(to, seconds / DAY, 3, ' ');
    cli_add(to, "d ");
    cli_add_number(to, seconds % DAY / HOUR, 2, '0');
    cli_add_byte(to, 'h');
  }
}

static uint64_t percent(uint64_t part, uint64_t whole) {
  return whole == 0 ? 0 : part > UINT64_MAX / 100 ? part / (whole / 100 + 1) : part * 100 / whole;
}

static void show(cli_meter *meter, uint32_t now) {
  char line[160];
  cli_text text = CLI_TEXT(line);
  uint64_t ms = now - meter->started;
  uint64_t done = meter->downloaded + meter->uploaded;
  uint64_t whole = (meter->download > 0 ? meter->download : meter->downloaded) +
                   (meter->upload > 0 ? meter->upload : meter->uploaded);
  bool known = meter->download > 0 || meter->upload > 0;
  uint64_t since = now - meter->told;
  uint64_t speed = done * SECOND / (ms > 0 ? ms : 1);
  uint64_t total = known && speed > 0 ? whole / speed : 0;
  cli_add(&text, "\r");
  cli_add_number(&text, known ? percent(done, whole) : 0, 3, ' ');
  cli_add(&text, " ");
  add_size(&text, whole);
  cli_add(&text, "  ");
  cli_add_number(&text, percent(meter->downloaded, meter->download), 3, ' ');
  cli_add(&text, " ");
  add_size(&text, meter->downloaded);
  cli_add(&text, "  ");
  cli_add_number(&text, percent(meter->uploaded, meter->upload), 3, ' ');
  cli_add(&text, " ");
  add_size(&text, meter->uploaded);
  cli_add(&text, "  ");
  add_size(&text, meter->downloaded * SECOND / (ms > 0 ? ms : 1));
  cli_add(&text, "  ");
  add_size(&text, meter->uploaded * SECOND / (ms > 0 ? ms : 1));
  cli_add(&text, " ");
  add_time(&text, total);
  cli_add(&text, " ");
  add_time(&text, ms / SECOND);
  cli_add(&text, " ");
  add_time(&text, total > ms / SECOND ? total - ms / SECOND : 0);
  cli_add(&text, " ");
  add_size(&text, (done - meter->told_bytes) * SECOND / (since > 0 ? since : 1));
  cli_tell(line);
  meter->told = now;
  meter->told_bytes = done;
}

void cli_meter_tick(cli_meter *meter) {
  if (!meter->shown) {
    return;
  }
  uint32_t now = porthole_host_now();
  if (!meter->begun) {
    cli_tell("  % Total    % Received % Xferd  Average Speed   Time    Time     Time  Current\n"
             "                                 Dload  Upload   Total   Spent    Left  Speed\n");
    meter->begun = true;
    show(meter, now);
  } else if (now - meter->told >= SECOND) {
    show(meter, now);
  }
}

void cli_meter_end(cli_meter *meter) {
  if (meter->shown && meter->begun) {
    show(meter, porthole_host_now());
    cli_tell("\n");
  }
}
