// SPDX-License-Identifier: MIT
//
// Runs guests that import porthole_host_v1, and nothing else, under porthole/host.
//
//   run.mjs --rules FILE [--ca FILE] GUEST.wasm ARGUMENT…    runs a program as demo/guests/guest.h says
//   run.mjs --rules FILE --explain URL…                      what would be allowed: a line of JSON for each

import dns from 'node:dns';
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { createHost } from '../../../js/host.js';

const MORE = -1;
const UNUSABLE = 2;
const TRAPPED = 3;

/** Looks names up in a table before the system's resolver is asked, as /etc/hosts does. */
function lookupIn(names) {
  return (name, options, callback) => {
    if (!Object.hasOwn(names, name)) return dns.lookup(name, options, callback);
    const found = names[name].map((address) => ({ address, family: address.includes(':') ? 6 : 4 }));
    if (options.all) callback(null, found);
    else callback(null, found[0].address, found[0].family);
  };
}

/** Runs a program: its output goes to ours. @returns {Promise<number>} its status */
async function run(host, path, args, options) {
  const guest = await host.run(path, options);
  try {
    const text = Buffer.from(args.map((argument) => `${argument}\0`).join(''));
    const to = await guest.call('guest_arguments', text.length);
    if (to === 0 && text.length > 0) throw new Error('the guest takes no so long arguments');
    await guest.write(to, text);
    let status = MORE;
    while (status === MORE) {
      status = await guest.call('guest_run');
      const said = await guest.read(await guest.call('guest_output'), await guest.call('guest_output_size'));
      process.stdout.write(said);
    }
    return status;
  } finally {
    await guest.close();
  }
}

/** The host, and what its guest may use, as a file says. */
function hostOf({ rules, ca }) {
  const { allow, deny, limits: { memory, time, ...limits } = {}, names = {}, ...others } = JSON.parse(readFileSync(rules, 'utf8'));
  const tls = ca === undefined ? undefined : { cafile: ca };
  return { host: createHost({ allow, deny, limits, tls, lookup: lookupIn(names), ...others }), options: { memory, time } };
}

/** @returns {Promise<number>} the status of this program */
async function command({ values, positionals }) {
  if (values.rules === undefined || positionals.length === 0) {
    console.error('usage: run.mjs --rules FILE [--ca FILE] GUEST.wasm ARGUMENT…');
    return UNUSABLE;
  }
  let made;
  try {
    made = hostOf(values);
  } catch (error) {
    console.error(`run.mjs: ${values.rules}: ${error.message}`);
    return UNUSABLE;
  }
  const { host, options } = made;
  if (values.explain) {
    for (const url of positionals) console.log(JSON.stringify(await host.explain(url)));
    return 0;
  }
  const [path, ...args] = positionals;
  return run(host, path, args, options).catch((error) => {
    console.error(`the guest has failed: ${error.message}`);
    return TRAPPED;
  });
}

process.exitCode = await command(
  parseArgs({
    options: { rules: { type: 'string' }, ca: { type: 'string' }, explain: { type: 'boolean', default: false } },
    allowPositionals: true,
  }),
);
