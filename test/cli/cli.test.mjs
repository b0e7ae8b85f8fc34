// SPDX-License-Identifier: MIT
//
// The command does what curl does: each scenario runs through curl and through each build of the command, and the exit codes, the
// outputs, the files and the requests that the server saw are the same.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { before, describe, test } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import { buildCommands, CURL, runCommand } from './commands.mjs';
import { SCENARIOS } from './scenarios.mjs';

const { commands, missing } = await buildCommands();
const curl = spawnSync('curl', ['--version'], { encoding: 'utf8' });

for (const [name, command] of Object.entries(commands)) {
  describe(`the ${name} command does as curl`, { skip: missing[name] ?? (curl.error ? 'apt-get install curl' : false), concurrency: 2 }, () => {
    before(() => command.build());

    for (const [what, scenario] of Object.entries(SCENARIOS)) {
      if (scenario.only !== undefined && !scenario.only.includes(name)) continue;
      test(what, async () => {
        for (let tries = scenario.waits ? 3 : 1; tries > 0; tries--) {
          const [expected, got] = await Promise.all([runCommand(CURL, scenario), runCommand(command, scenario)]);
          if (tries > 1 && !isDeepStrictEqual(command.seen(got), command.seen(expected))) continue;
          assert.deepEqual(command.seen(got), command.seen(expected));
          break;
        }
      });
    }
  });
}
