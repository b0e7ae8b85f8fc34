// SPDX-License-Identifier: MIT
//
// What the module exports, and that importing it does nothing else.

import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import * as porthole from '../../js/index.js';

const index = new URL('../../js/index.js', import.meta.url);

test('the constants are those of the status table, the older names included', () => {
  assert.equal(porthole.HTTP_PORT, 80);
  assert.equal(porthole.HTTPS_PORT, 443);
  assert.equal(porthole.OK, 200);
  assert.equal(porthole.HTTPStatus.NOT_FOUND, 404);
  assert.equal(porthole.responses[413], 'Request Entity Too Large');
  assert.ok(Object.isFrozen(porthole.HTTPStatus) && Object.isFrozen(porthole.responses));
  for (const [older, newer, status] of [
    ['REQUEST_ENTITY_TOO_LARGE', 'CONTENT_TOO_LARGE', 413],
    ['REQUEST_URI_TOO_LONG', 'URI_TOO_LONG', 414],
    ['REQUESTED_RANGE_NOT_SATISFIABLE', 'RANGE_NOT_SATISFIABLE', 416],
    ['UNPROCESSABLE_ENTITY', 'UNPROCESSABLE_CONTENT', 422],
  ]) {
    assert.equal(porthole[older], status);
    assert.equal(porthole[newer], status);
    assert.equal(porthole.HTTPStatus[newer], status);
  }
});

test('the status table is that of CPython', (t) => {
  const script = 'import http, json; print(json.dumps([[s.name, s.value, s.phrase] for s in http.HTTPStatus]))';
  const { status, stdout } = spawnSync('python3', ['-c', script], { encoding: 'utf8' });
  if (status !== 0) return t.skip('apt-get install python3');
  for (const [name, value, phrase] of JSON.parse(stdout)) {
    assert.equal(porthole.HTTPStatus[name], value);
    if (!['Content Too Large', 'URI Too Long', 'Range Not Satisfiable', 'Unprocessable Content'].includes(phrase)) {
      assert.equal(porthole.responses[value], phrase);
    }
  }
});

test('the error classes extend each other as in http.client', () => {
  const chain = {
    NotConnected: 'HTTPException',
    InvalidURL: 'HTTPException',
    UnknownProtocol: 'HTTPException',
    UnknownTransferEncoding: 'HTTPException',
    UnimplementedFileMode: 'HTTPException',
    IncompleteRead: 'HTTPException',
    ImproperConnectionState: 'HTTPException',
    CannotSendRequest: 'ImproperConnectionState',
    CannotSendHeader: 'ImproperConnectionState',
    ResponseNotReady: 'ImproperConnectionState',
    BadStatusLine: 'HTTPException',
    LineTooLong: 'HTTPException',
    RemoteDisconnected: 'BadStatusLine',
  };
  for (const [name, parent] of Object.entries(chain)) {
    assert.equal(Object.getPrototypeOf(porthole[name]), porthole[parent], name);
    assert.equal(porthole[name].prototype.name, name);
    assert.ok(porthole[name].prototype.code, name);
  }
  assert.equal(porthole.error, porthole.HTTPException);
  assert.equal(Object.getPrototypeOf(porthole.TimeoutError), Error);
  assert.equal(Object.getPrototypeOf(porthole.TunnelError), Error);
});

test('importing opens no handle, compiles nothing and prints nothing, and the program ends', () => {
  const script = `
    const { Module } = WebAssembly;
    WebAssembly.Module = class extends Module { constructor(...args) { console.log('compiled'); super(...args); } };
    await import(${JSON.stringify(index.href)});
    await new Promise(setImmediate);
    console.log(process.getActiveResourcesInfo().filter((name) => /TCP|Timeout|Worker|DNS|GetAddr/.test(name)).length);`;
  const output = execFileSync(process.execPath, ['--input-type=module', '-e', script], { timeout: 60000, encoding: 'utf8' });
  assert.equal(output, '0\n');
});

test('require gives the same module', () => {
  const script = `console.log(typeof require(${JSON.stringify(index.pathname)}).HTTPConnection)`;
  const result = spawnSync(process.execPath, ['-e', script], { encoding: 'utf8' });
  assert.equal(result.stdout, 'function\n', result.stderr);
});

test('porthole.wasm imports the host ABI only, and exports what exports.txt says', () => {
  const lines = (file) => readFileSync(new URL(`../../bindings/${file}`, import.meta.url), 'utf8').trim().split('\n').sort();
  const module = new WebAssembly.Module(readFileSync(new URL('../../bindings/generated/porthole.wasm', import.meta.url)));
  const imports = WebAssembly.Module.imports(module);
  assert.deepEqual([...new Set(imports.map((entry) => entry.module))], ['porthole_host_v1']);
  assert.deepEqual(imports.map(({ name }) => name).sort(), lines('imports.txt'));
  const exports = WebAssembly.Module.exports(module).map(({ name }) => name);
  assert.deepEqual(exports.filter((name) => name.startsWith('porthole_')).sort(), lines('exports.txt'));
});
