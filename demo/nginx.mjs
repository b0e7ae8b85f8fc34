// SPDX-License-Identifier: MIT
//
// nginx as the demo's web server: the same site, with the demo's own server behind it for what takes an application.

import { closeSync, cpSync, ftruncateSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { aptInstall } from '../bindings/setup.mjs';
import { missing, startNginx } from '../test/support/servers.mjs';

const LARGE = 64 * 1024 * 1024;

function prepare(site) {
  cpSync(new URL('./site/', import.meta.url), site, { recursive: true });
  const file = openSync(join(site, 'large.bin'), 'w');
  ftruncateSync(file, LARGE);
  closeSync(file);
}

/**
 * Starts nginx, and installs it where it is missing.
 * @param {{ host: string, port: number }} application the demo's own server
 * @returns {Promise<import('../test/support/servers.mjs').Server>}
 */
export async function startNginxServer(application) {
  if (missing('nginx')) aptInstall(['nginx-light']);
  const reason = missing('nginx');
  if (reason) throw new Error(reason);
  return startNginx({
    prepare,
    server: `
    dav_methods PUT;
    location = / { proxy_pass http://${application.host}:${application.port}; }`,
  });
}
