// SPDX-License-Identifier: MIT
//
// Where trust comes from when nobody says it in the program: Node's store, the system's, and the variables of both.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { promisify } from 'node:util';
import { create_default_context, SSLContext } from '../../js/index.js';
import { certificates, noOpenssl } from '../support/certificates.mjs';
import { reply, withTlsServer } from '../support/raw-server.mjs';

const run = promisify(execFile);
const library = new URL('../../js/index.js', import.meta.url).href;

/** What a program of its own says of a server: its answer, or the code of the error. */
async function ask(port, context, env) {
  const program = `
    import { create_default_context, HTTPSConnection, SSLContext } from ${JSON.stringify(library)};
    try {
      const conn = new HTTPSConnection('localhost', ${port}, { timeout: 30, context: ${context} });
      await conn.request('GET', '/');
      console.log(await (await conn.getresponse()).text());
      conn.close();
    } catch (error) {
      console.log(error.code);
    }`;
  const clean = { PATH: process.env.PATH, ...env };
  const { stdout } = await run(process.execPath, ['--input-type=module', '-e', program], { env: clean });
  return stdout.trim();
}

const DEFAULT = 'create_default_context()';
const SYSTEM = 'create_default_context({ system: true })';
const UNKNOWN = 'UNABLE_TO_VERIFY_LEAF_SIGNATURE';

describe('trust', { skip: noOpenssl }, () => {
  const { ca, capath, good } = noOpenssl ? {} : certificates();

  for (const [title, context, env, expected] of [
    ['nothing but its own store is trusted by Node', DEFAULT, {}, UNKNOWN],
    ['NODE_EXTRA_CA_CERTS adds to that of Node', DEFAULT, { NODE_EXTRA_CA_CERTS: ca }, 'hello'],
    ['NODE_EXTRA_CA_CERTS adds to that of the system', SYSTEM, { NODE_EXTRA_CA_CERTS: ca, SSL_CERT_FILE: good?.cert }, 'hello'],
    ['SSL_CERT_FILE is the store of the system', SYSTEM, { SSL_CERT_FILE: ca }, 'hello'],
    ['SSL_CERT_DIR is the store of the system', SYSTEM, { SSL_CERT_DIR: capath }, 'hello'],
    ['SSL_CERT_FILE is not looked at without system', DEFAULT, { SSL_CERT_FILE: ca }, UNKNOWN],
    ['an SSL_CERT_FILE that is not there is an error', SYSTEM, { SSL_CERT_FILE: '/none/ca.pem' }, 'ENOENT'],
  ]) {
    test(title, () =>
      withTlsServer(good, () => reply('hello'), async ({ port }) => assert.equal(await ask(port, context, env), expected)),
    );
  }

  test('what is loaded into a context is added; what a default context is given is all that is trusted', () => {
    const added = new SSLContext();
    assert.equal(added.options().ca, undefined);
    added.load_verify_locations({ cafile: ca });
    assert.ok(added.options().ca.length > 50);
    assert.equal(added.options().ca.at(-1), readFileSync(ca, 'latin1'));
    const only = create_default_context({ cafile: ca });
    assert.deepEqual(only.options().ca, [readFileSync(ca, 'latin1')]);
    only.load_verify_locations({ cadata: readFileSync(good.cert) });
    assert.equal(only.options().ca.length, 2);
  });
});
