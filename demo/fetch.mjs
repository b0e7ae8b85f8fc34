// SPDX-License-Identifier: MIT
//
// Fetches one URL: status line, headers, an empty line and the body on stdout.

import { once } from 'node:events';
import { closeSync, openSync, readFileSync, writeSync } from 'node:fs';

const SIZE = 256 * 1024;

/** A mistake in what was asked for: its message is for the person who asked. */
export class UsageError extends Error {}

/**
 * Takes a URL apart.
 * @param {string} text
 * @returns {{ secure: boolean, host: string, port: number | null, target: string }}
 */
function parseTarget(text) {
  if (!/^[a-z][a-z0-9+.-]*:\/\//i.test(text)) {
    throw new UsageError(`${text} is no absolute URL: did you mean http://${text}?`);
  }
  if (!URL.canParse(text)) throw new UsageError(`${text} is no valid URL`);
  const url = new URL(text);
  const secure = url.protocol === 'https:';
  if (!secure && url.protocol !== 'http:') {
    throw new UsageError(`${url.protocol}// is not supported: only http:// and https://`);
  }
  if (url.username || url.password) {
    throw new UsageError("user and password don't go into the URL: send them with -H 'Authorization: …'");
  }
  const port = url.port ? Number(url.port) : null;
  return { secure, host: url.hostname, port, target: url.pathname + url.search };
}

/** `Name: value` as a pair. */
function parseHeader(text) {
  const colon = text.indexOf(':');
  if (colon < 1) throw new UsageError(`-H takes 'Name: value', not '${text}'`);
  return [text.slice(0, colon), text.slice(colon + 1).trim()];
}

function parseProxy(text) {
  const [, scheme, credentials, host, port] = /^(?:(https?):\/\/)?(?:(.*)@)?(.+):(\d+)\/?$/.exec(text) ?? [];
  if (host === undefined) throw new UsageError(`-x takes host:port, not '${text}'`);
  const headers =
    credentials === undefined ? null : { 'Proxy-Authorization': `Basic ${Buffer.from(credentials).toString('base64')}` };
  return { secure: scheme === 'https', host, port: Number(port), headers };
}

function parseSeconds(text) {
  const seconds = Number(text);
  if (!(seconds > 0)) throw new UsageError(`--timeout takes a number of seconds, not '${text}'`);
  return seconds;
}

/** What to send: text as it is, or `@path` for what a file holds, `@-` for what stdin does. */
function readData(text) {
  if (!text.startsWith('@')) return Buffer.from(text);
  const path = text.slice(1);
  try {
    return readFileSync(path === '-' ? 0 : path);
  } catch (error) {
    throw new UsageError(`${path} can't be read: ${error.message}`);
  }
}

function openOutput(path) {
  try {
    return openSync(path, 'w');
  } catch (error) {
    throw new UsageError(`${path} can't be written: ${error.message}`);
  }
}

/**
 * Reads the options of the command line.
 * @param {string} url
 * @param {Record<string, any>} options see run.mjs
 */
export function parseRequest(url, options) {
  const body = options.data === undefined ? null : readData(options.data);
  const headers = (options.header ?? []).map(parseHeader);
  if (body !== null && !headers.some(([name]) => name.toLowerCase() === 'content-type')) {
    headers.push(['Content-Type', 'application/x-www-form-urlencoded']);
  }
  const usual = body === null ? 'GET' : 'POST';
  return {
    ...parseTarget(url),
    method: options.request ?? (options.head ? 'HEAD' : usual),
    headers,
    body,
    proxy: options.proxy === undefined ? null : parseProxy(options.proxy),
    timeout: parseSeconds(options.timeout ?? '30'),
    output: options.output ?? null,
    cafile: options.cacert ?? null,
    insecure: options.insecure ?? false,
  };
}

async function print(bytes) {
  if (!process.stdout.write(bytes)) await once(process.stdout, 'drain');
}

async function showHead(response) {
  const version = response.version === 10 ? 'HTTP/1.0' : 'HTTP/1.1';
  const lines = [`${version} ${response.status} ${response.reason}`.trimEnd()];
  for (const [name, value] of response.getheaders()) lines.push(`${name}: ${value}`);
  await print(Buffer.from(`${lines.join('\n')}\n\n`, 'latin1'));
}

/** Hands the body on, piece by piece. @returns {Promise<number>} its length */
async function copyBody(response, write) {
  const view = Buffer.allocUnsafeSlow(SIZE);
  let total = 0;
  while (!response.closed) {
    const count = await response.readinto(view);
    total += count;
    await write(Buffer.from(view.subarray(0, count)));
  }
  return total;
}

async function saveBody(response, file, path) {
  const start = performance.now();
  const length = await copyBody(response, (bytes) => writeSync(file, bytes));
  const seconds = (performance.now() - start) / 1000;
  const rate = (length / seconds / 2 ** 20).toFixed(1);
  process.stderr.write(`${length} bytes saved in ${path}: ${seconds.toFixed(2)} s, ${rate} MiB/s\n`);
}

/** Trusts what a file holds as well. */
function trust(context, cafile) {
  try {
    context.load_verify_locations({ cafile });
  } catch (error) {
    throw new UsageError(`--cacert: ${error.message}`);
  }
}

function connectionOptions({ _create_unverified_context, create_default_context }, { secure, timeout, cafile, insecure, proxy }) {
  const context = insecure ? _create_unverified_context() : create_default_context();
  if (cafile !== null) trust(context, cafile);
  return { timeout, ...(secure ? { context } : null), proxy_context: proxy?.secure ? context : null };
}

/**
 * Makes the request and shows the answer.
 * @param {typeof import('../js/index.js')} porthole
 * @param {ReturnType<typeof parseRequest>} request
 */
export async function fetchUrl(porthole, request) {
  const { secure, host, port, target, method, headers, body, proxy, output } = request;
  const Connection = secure ? porthole.HTTPSConnection : porthole.HTTPConnection;
  const options = connectionOptions(porthole, request);
  const conn = new Connection(proxy?.host ?? host, proxy?.port ?? port, options);
  if (proxy) conn.set_tunnel(host, port, proxy.headers);
  const file = output === null ? null : openOutput(output);
  try {
    await conn.request(method, target, body, headers);
    const response = await conn.getresponse();
    await showHead(response);
    if (file === null) await copyBody(response, print);
    else await saveBody(response, file, output);
    const location = response.getheader('Location');
    if (response.status >= 300 && response.status < 400 && location !== null) {
      process.stderr.write(`\nThe answer redirects to ${location}, which is not followed.\n`);
    }
  } finally {
    conn.close();
    if (file !== null) closeSync(file);
  }
}

/**
 * What went wrong, in words.
 * @param {Error & { code?: string }} error
 * @param {ReturnType<typeof parseRequest>} request
 */
export function explain(error, request) {
  const { host, port } = request.proxy ?? request;
  const peer = `${host}${port === null ? '' : `:${port}`}`;
  const known = {
    ECONNREFUSED: `nothing listens at ${peer}`,
    ENOTFOUND: `there is no host named ${host}`,
    EAI_AGAIN: `the name ${host} can't be looked up now`,
    EHOSTUNREACH: `${peer} can't be reached`,
    ENETUNREACH: `${peer} can't be reached`,
  };
  const { code = error.name } = error;
  // OpenSSL's own words are for those who know its sources.
  const text = known[code] ?? (code.startsWith('ERR_SSL_') ? error.hint : undefined) ?? error.message;
  return `${text} (${code})`;
}
