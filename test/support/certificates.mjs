// SPDX-License-Identifier: MIT
//
// A certificate authority for one process: it signs what a test of TLS needs, right or wrong, by the `openssl` program.

import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chownToServer, findProgram } from './process.mjs';

/**
 * Paths of PEM files, readable by the servers that tests start.
 * @typedef {{ cert: string, key: string }} Pair
 * @typedef {object} Certificates
 * @property {string} ca the authority that signed all but `selfSigned` and `unknownCa`; trusted once loaded
 * @property {string} capath a folder with the authority under the hash of its name, as `openssl rehash` makes one
 * @property {string} crl the list of what the authority has revoked
 * @property {Pair} good for localhost, 127.0.0.1, ::1, a.example, b.example and *.example.org
 * @property {Pair} expired good until 2001
 * @property {Pair} notYetValid good from 2098 on
 * @property {Pair} wrongName for other.example only
 * @property {Pair} cnOnly its common name is localhost, its alternative name is other.example
 * @property {Pair} selfSigned good, but signed by itself
 * @property {Pair} unknownCa good, but signed by another authority
 * @property {Pair} wildcard for *.wild.example
 * @property {Pair} ipOnly for 127.0.0.1, and no name
 * @property {Pair} weak1024 good, with an RSA key of 1024 bits
 * @property {Pair | null} weak512 the same with 512 bits; null where `openssl` makes no such key
 * @property {Pair} revoked good, and listed in `crl`
 * @property {Pair & { chain: string }} intermediate good, signed by an authority that `ca` signed: `cert` alone is
 *   incomplete, `chain` is complete
 * @property {Pair & { encryptedKey: string, password: string }} client for a client
 */

/** Is there no `openssl`? The `skip` option of a test, false when it is there. */
export const noOpenssl = findProgram('openssl') === null && 'openssl not installed: apt-get install openssl';

const PASSWORD = 'correct horse';
const NAMES = 'DNS:localhost, IP:127.0.0.1, IP:::1, DNS:a.example, DNS:b.example, DNS:*.example.org';
const AUTHORITY = ['basicConstraints=critical,CA:TRUE', 'keyUsage=critical,keyCertSign,cRLSign'];
const EC = ['ec', '-pkeyopt', 'ec_paramgen_curve:P-256'];

/** What differs from a certificate of the authority for `NAMES`, with an EC key, good today. */
const KINDS = {
  good: {},
  expired: { from: '20000101000000Z', until: '20010101000000Z' },
  notYetValid: { from: '20980101000000Z', until: '20990101000000Z' },
  wrongName: { names: 'DNS:other.example' },
  cnOnly: { names: 'DNS:other.example', subject: 'localhost' },
  unknownCa: { issuer: 'other' },
  wildcard: { names: 'DNS:*.wild.example' },
  ipOnly: { names: 'IP:127.0.0.1' },
  weak1024: { key: ['rsa:1024'] },
  weak512: { key: ['rsa:512'], optional: true },
  revoked: {},
  intermediate: { issuer: 'middle' },
  client: { names: 'DNS:client.example' },
};

const CONFIGURATION = `
[req]
distinguished_name = any
[ca]
default_ca = authority
[authority]
database = index.txt
new_certs_dir = .
rand_serial = yes
unique_subject = no
default_md = sha256
default_days = 30
default_crl_days = 30
copy_extensions = copy
policy = any
[any]
commonName = supplied
`;

/** Makes everything in a folder. @param {string} folder @returns {Certificates} */
function make(folder) {
  const at = (name) => join(folder, name);
  const paths = (name) => ({ cert: at(`${name}.pem`), key: at(`${name}.key`) });

  function openssl(command, ...args) {
    const config = ['req', 'ca'].includes(command) ? ['-config', 'openssl.cnf'] : [];
    const { error, status, stderr } = spawnSync('openssl', [command, ...config, ...args], { cwd: folder });
    if (error || status !== 0) throw error ?? new Error(`openssl ${command} ${args.join(' ')}\n${stderr}`);
  }

  /** Makes a key and what is to be signed; with `-x509` among the arguments that is signed by itself. */
  function request(name, { key = EC, subject = name, extensions, output = `${name}.csr` }, ...args) {
    const extended = extensions.flatMap((extension) => ['-addext', extension]);
    const files = ['-keyout', `${name}.key`, '-out', output];
    openssl('req', '-new', '-newkey', ...key, '-nodes', '-subj', `/CN=${subject}`, ...extended, ...files, ...args);
    return paths(name);
  }

  function sign(name, { issuer = 'ca', from, until }) {
    const dates = from === undefined ? [] : ['-startdate', from, '-enddate', until];
    const by = ['-cert', `${issuer}.pem`, '-keyfile', `${issuer}.key`];
    openssl('ca', '-batch', '-notext', ...by, ...dates, '-in', `${name}.csr`, '-out', `${name}.pem`);
  }

  function issue(name, { names = NAMES, optional = false, ...kind }) {
    try {
      request(name, { ...kind, extensions: [`subjectAltName=${names}`] });
      sign(name, kind);
    } catch (error) {
      if (!optional) throw error;
      return null;
    }
    return paths(name);
  }

  const signedByItself = (name, extensions) =>
    request(name, { subject: `porthole ${name}`, extensions, output: `${name}.pem` }, '-x509', '-days', '30');

  writeFileSync(at('openssl.cnf'), CONFIGURATION);
  writeFileSync(at('index.txt'), '');
  signedByItself('ca', AUTHORITY);
  signedByItself('other', AUTHORITY);
  request('middle', { extensions: AUTHORITY });
  sign('middle', {});
  const made = { selfSigned: signedByItself('selfSigned', [`subjectAltName=${NAMES}`]) };
  for (const [name, kind] of Object.entries(KINDS)) made[name] = issue(name, kind);

  const byAuthority = ['-cert', 'ca.pem', '-keyfile', 'ca.key'];
  openssl('ca', ...byAuthority, '-revoke', 'revoked.pem');
  openssl('ca', ...byAuthority, '-gencrl', '-out', 'revoked.crl');
  writeFileSync(at('chain.pem'), readFileSync(at('intermediate.pem'), 'latin1') + readFileSync(at('middle.pem'), 'latin1'));
  openssl('pkcs8', '-topk8', '-in', 'client.key', '-out', 'encrypted.key', '-passout', `pass:${PASSWORD}`);
  mkdirSync(at('capath'));
  copyFileSync(at('ca.pem'), at('capath/ca.pem'));
  openssl('rehash', 'capath');

  made.intermediate.chain = at('chain.pem');
  Object.assign(made.client, { encryptedKey: at('encrypted.key'), password: PASSWORD });
  chownToServer(folder, ...Object.values(made).flatMap((pair) => (pair === null ? [] : [pair.key])));
  return { ca: at('ca.pem'), capath: at('capath'), crl: at('revoked.crl'), ...made };
}

let made;

/**
 * The certificates of this process. The first call makes them, in a temporary folder that is removed at exit.
 * @returns {Certificates}
 */
export function certificates() {
  if (made === undefined) {
    const folder = mkdtempSync(join(tmpdir(), 'porthole-tls-'));
    process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
    made = make(folder);
  }
  return made;
}
