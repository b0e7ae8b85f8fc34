// SPDX-License-Identifier: MIT
//
// `npm run demo`: sets up what it needs, then shows the sessions of the http.client documentation, or fetches a URL.

import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { explain, fetchUrl, parseRequest, UsageError } from './fetch.mjs';

const USAGE = `Usage:
  npm run demo                                 shows the sessions of Python's documentation, with a server of its own
  npm run demo -- --server nginx               the same with nginx
  npm run demo -- [options] https://host/path  fetches a URL: status line, headers and body

Options for a URL:
  -I, --head             HEAD: the headers only
  -X, --request METHOD   the method
  -d, --data TEXT        a body, sent by POST; @FILE for what a file holds, @- for stdin
  -H, --header LINE      a header, 'Name: value'; may be repeated
  -o, --output FILE      the body into a file
  -x, --proxy HOST:PORT  through a proxy, by CONNECT; [https://][user:password@] may stand before
      --cacert FILE      certificates to trust as well
  -k, --insecure         no look at certificates
  -t, --timeout SECONDS  how long nothing may happen (default 30)

  -h, --help             this text

Exit codes: 0 done, 1 failed, 2 asked for what can't be.
`;

const OPTIONS = {
  server: { type: 'string' },
  head: { type: 'boolean', short: 'I' },
  request: { type: 'string', short: 'X' },
  data: { type: 'string', short: 'd' },
  header: { type: 'string', short: 'H', multiple: true },
  output: { type: 'string', short: 'o' },
  proxy: { type: 'string', short: 'x' },
  cacert: { type: 'string' },
  insecure: { type: 'boolean', short: 'k' },
  timeout: { type: 'string', short: 't' },
  help: { type: 'boolean', short: 'h' },
};

function parseCommand() {
  let parsed;
  try {
    parsed = parseArgs({ options: OPTIONS, allowPositionals: true });
  } catch (error) {
    throw new UsageError(error.message.split('. ')[0]); // the rest is advice that doesn't fit here
  }
  const { values, positionals } = parsed;
  if (positionals.length > 1) throw new UsageError(`one URL at a time, not ${positionals.join(' and ')}`);
  const [url] = positionals;
  const strayOption = Object.keys(values).find((name) => !['server', 'help'].includes(name));
  if (url === undefined && strayOption) {
    throw new UsageError(`--${strayOption} is for fetching a URL, and there is none`);
  }
  if (url !== undefined && values.server !== undefined) {
    throw new UsageError('--server is for the sessions, not for a URL');
  }
  if (!['embedded', 'nginx'].includes(values.server ?? 'embedded')) {
    throw new UsageError(`--server takes embedded or nginx, not ${values.server}`);
  }
  return { values, url };
}

/** Builds porthole, on stderr: stdout is for what was fetched. */
function setUp() {
  const build = fileURLToPath(new URL('../bindings/build.mjs', import.meta.url));
  const { status } = spawnSync(process.execPath, [build], { stdio: ['ignore', 2, 2] });
  if (status !== 0) throw new Error('porthole could not be built: see above');
}

async function showSessions(porthole, serverName) {
  const { startServer } = await import('./server.mjs');
  const { sessions } = await import('./sessions.mjs');
  const { showSession } = await import('./show.mjs');
  const own = await startServer();
  let nginx = null;
  try {
    if (serverName === 'nginx') nginx = await (await import('./nginx.mjs')).startNginxServer(own);
    const { host, port } = nginx ?? own;
    const what = nginx ? 'nginx' : "the demo's own web server";
    console.log(`\nThe sessions of Python's http.client documentation, against ${what}:`);
    console.log(`host is '${host}', port is ${port}; the proxy is the demo's own, at port ${own.port}.`);
    const names = {
      HTTPConnection: porthole.HTTPConnection,
      host,
      port,
      own_host: own.host,
      own_port: own.port,
      proxy_host: own.host,
      proxy_port: own.port,
    };
    for (const session of sessions) await showSession(session, names);
    console.log('\nNow fetch something yourself: npm run demo -- https://example.org/');
  } finally {
    await nginx?.stop();
    own.stop();
  }
}

/** `| head` and the like close stdout early: then there is nothing left to do. */
process.stdout.on('error', (error) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit();
});

let request = null;
try {
  const { values, url } = parseCommand();
  if (values.help) {
    process.stdout.write(USAGE);
  } else {
    if (url !== undefined) request = parseRequest(url, values);
    setUp();
    const porthole = await import('../js/index.js');
    if (request) await fetchUrl(porthole, request);
    else await showSessions(porthole, values.server);
  }
} catch (error) {
  const unusable = error instanceof UsageError || error.code?.startsWith('ERR_INVALID_') === true;
  const text = request === null || error instanceof UsageError ? error.message : explain(error, request);
  process.stderr.write(`demo: ${text}\n${unusable ? 'npm run demo -- --help tells what it can do.\n' : ''}`);
  process.exitCode = unusable ? 2 : 1;
}
