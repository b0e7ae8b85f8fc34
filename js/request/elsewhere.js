// SPDX-License-Identifier: MIT
//
// Options of other clients (fetch, undici, axios, got, requests, node:http, curl), and where each goes here.

const KEPT = 'a connection is one socket, and is kept open by itself: keep the HTTPConnection, and use it again';
const TRUST = 'it is an option of TLS: { context: create_default_context({ cafile }) }';
const CHAIN = 'it is an option of TLS: context.load_cert_chain(certfile, keyfile), or { context: { cert, key } }';
const UNVERIFIED =
  'certificates are verified unless the context says otherwise: { context: create_default_context({ cafile }) } trusts one ' +
  'more, and { context: _create_unverified_context() } verifies nothing';
const VERSIONS = 'it is an option of TLS: context.minimum_version and context.maximum_version';
const CONTEXT = 'how TLS is spoken is the option context of HTTPSConnection';
const METHOD = 'it is the first argument of request(method, url, body, headers, options)';
const TARGET = 'it is the second argument of request(method, url, body, headers, options)';
const BODY = 'it is the third argument of request(method, url, body, headers, options)';
const HEADERS = 'it is the fourth argument of request(method, url, body, headers, options)';
const BASE = 'the constructor takes the host, new HTTPSConnection(host, port, options), and request() the path';
const HOST = 'it is the first argument of the constructor: new HTTPConnection(host, port, options)';
const QUERY = "the query is a part of the URL: '/path?' + new URLSearchParams(params)";
const JSON_BODY = 'give JSON.stringify(value) as the body, encoded by Buffer.from, and a Content-Type header';
const FORM = 'give String(new URLSearchParams(fields)) as the body, with Content-Type: application/x-www-form-urlencoded';
const MULTIPART = 'encode it with new Response(form), and give its body and its Content-Type';
const OF_CLASS = 'it is a property of the connection and of its class';
const AUTH = 'send an Authorization header';
const SOURCE = 'it is source_address: [host, port]';
const FAMILY = 'have a lookup of your own ask for it, or bind by source_address';
const PROXY = 'give the constructor the host of the proxy, then call set_tunnel(host, port)';
const REDIRECTS = 'redirects are not followed: send the next request to what Location says';
const RETRIES =
  'nothing is sent twice but by retry_stale: 1, for connections that the server has closed meanwhile: else look at the ' +
  "error's retry_safe, and send it again";
const COOKIES = 'cookies are not kept: send a Cookie header, and read headers.get_all("Set-Cookie")';
const CODINGS = 'bodies are given as they come: ask by an Accept-Encoding header, and decode with node:zlib';
const READING = 'the response has text(), json(), bytes(), arrayBuffer(), read() and body: call the one that you want';
const STATUS = 'a response of any status is given: look at response.status';
const SECONDS = 'it is timeout, in seconds: 30, not 30000';
const TRANSFORM = 'nothing of that kind is done: change what you give to request(), and what it gives to you';
const PROGRESS = 'give an iterable as the body, or read the response in pieces, and count them';
const BROWSER = 'there is none of that outside of a browser: leave it out';

/** By the name, less `_`, `-` and case. */
export const ELSEWHERE = Object.freeze({
  __proto__: null,
  // how connections are kept
  agent: KEPT,
  agents: KEPT,
  httpagent: KEPT,
  httpsagent: KEPT,
  dispatcher: KEPT,
  pool: KEPT,
  forever: KEPT,
  session: KEPT,
  keepalive: KEPT,
  keepalivetimeout: KEPT,
  keepalivemsecs: KEPT,
  connections: 'a connection is one socket: make as many HTTPConnections as you want',
  maxsockets: 'a connection is one socket: make as many HTTPConnections as you want',
  pipelining: 'one request is under way at a time on a connection: make more connections',
  http2: 'only HTTP/1.1 is spoken',
  allowh2: 'only HTTP/1.1 is spoken',
  httpversion: 'only HTTP/1.1 is spoken',
  // TLS
  rejectunauthorized: 'it is an option of TLS: { context: _create_unverified_context() }, or { context: { rejectUnauthorized: false } }',
  insecure: UNVERIFIED,
  strictssl: UNVERIFIED,
  verify: UNVERIFIED,
  verifyssl: UNVERIFIED,
  ca: 'it is an option of TLS: { context: create_default_context({ cafile }) }, or { context: { ca } }',
  cafile: TRUST,
  cabundle: TRUST,
  cacert: TRUST,
  capath: 'it is an option of TLS: { context: create_default_context({ capath }) }',
  cadata: 'it is an option of TLS: { context: create_default_context({ cadata }) }',
  cert: CHAIN,
  certfile: CHAIN,
  key: CHAIN,
  keyfile: CHAIN,
  pfx: 'it is an option of TLS: { context: { pfx } }',
  passphrase: 'it is an option of TLS: context.load_cert_chain(certfile, keyfile, password)',
  servername: 'it is an option of TLS: { context: { servername } }',
  ciphers: 'it is an option of TLS: context.set_ciphers(list)',
  minversion: 'it is an option of TLS: context.minimum_version',
  maxversion: 'it is an option of TLS: context.maximum_version',
  secureprotocol: VERSIONS,
  sslversion: VERSIONS,
  alpnprotocols: 'it is an option of TLS: context.set_alpn_protocols(list)',
  checkserveridentity: 'it is an option of TLS: { context: { checkServerIdentity } }',
  securecontext: 'it is an option of TLS: { context: { secureContext } }',
  tls: CONTEXT,
  ssl: CONTEXT,
  sslcontext: CONTEXT,
  https: CONTEXT,
  // what is asked
  method: METHOD,
  url: TARGET,
  uri: TARGET,
  path: TARGET,
  body: BODY,
  data: BODY,
  content: BODY,
  payload: BODY,
  messagebody: BODY,
  json: JSON_BODY,
  form: FORM,
  formdata: MULTIPART,
  files: MULTIPART,
  multipart: MULTIPART,
  headers: HEADERS,
  params: QUERY,
  query: QUERY,
  qs: QUERY,
  searchparams: QUERY,
  paramsserializer: QUERY,
  useragent: 'send a User-Agent header',
  accept: 'send an Accept header',
  duplex: 'a body is always sent beside the reading: leave it out',
  chunked: 'it is encode_chunked, an option of request()',
  // whom
  host: HOST,
  hostname: HOST,
  baseurl: BASE,
  prefixurl: BASE,
  origin: BASE,
  port: 'it is the second argument of the constructor: new HTTPConnection(host, port, options)',
  protocol: 'the class says it: HTTPConnection or HTTPSConnection',
  secure: 'the class says it: HTTPConnection or HTTPSConnection',
  localaddress: SOURCE,
  localport: SOURCE,
  family: FAMILY,
  autoselectfamily: 'all addresses are tried, each family in turn: leave it out',
  dnslookup: 'it is lookup',
  proxy: PROXY,
  proxies: PROXY,
  tunnel: PROXY,
  createconnection: 'it is create_connection({ host, port, timeout, source_address, signal })',
  connect: 'it is create_connection({ host, port, timeout, source_address, signal })',
  transport: 'it is create_connection({ host, port, timeout, source_address, signal })',
  // properties
  defaultport: OF_CLASS,
  debuglevel: 'it is a property of the connection and of its class, and set_debuglevel(level) sets it',
  debug: 'call set_debuglevel(1), or set NODE_DEBUG=porthole',
  verbose: 'call set_debuglevel(1), or set NODE_DEBUG=porthole',
  autoopen: OF_CLASS,
  responseclass: OF_CLASS,
  // who asks
  auth: AUTH,
  authorization: AUTH,
  username: AUTH,
  user: AUTH,
  password: AUTH,
  bearer: AUTH,
  token: AUTH,
  credentials: 'no cookies are kept, and none are sent: send an Authorization or a Cookie header',
  withcredentials: 'no cookies are kept, and none are sent: send an Authorization or a Cookie header',
  cookies: COOKIES,
  cookie: COOKIES,
  jar: COOKIES,
  cookiejar: COOKIES,
  // what is done with the answer
  maxredirects: REDIRECTS,
  maxredirections: REDIRECTS,
  followredirects: REDIRECTS,
  followredirect: REDIRECTS,
  followallredirects: REDIRECTS,
  allowredirects: REDIRECTS,
  follow: REDIRECTS,
  redirect: REDIRECTS,
  redirects: REDIRECTS,
  retry: RETRIES,
  retries: RETRIES,
  maxretries: RETRIES,
  decompress: CODINGS,
  gzip: CODINGS,
  compress: CODINGS,
  compressed: CODINGS,
  brotli: CODINGS,
  responsetype: READING,
  responseencoding: READING,
  resolvebodyonly: READING,
  parse: READING,
  encoding: READING,
  stream: READING,
  isstream: READING,
  preloadcontent: READING,
  throwhttperrors: STATUS,
  throwonerror: STATUS,
  validatestatus: STATUS,
  raiseforstatus: STATUS,
  simple: STATUS,
  hooks: TRANSFORM,
  interceptors: TRANSFORM,
  transformrequest: TRANSFORM,
  transformresponse: TRANSFORM,
  onuploadprogress: PROGRESS,
  ondownloadprogress: PROGRESS,
  // how long, how much
  timeout: 'it is an option of the connection, and its property, conn.timeout: for a whole request give deadline',
  timeoutms: SECONDS,
  timeoutmilliseconds: SECONDS,
  requesttimeout: 'it is deadline, in seconds',
  totaltimeout: 'it is deadline, in seconds',
  maxtime: 'it is deadline, in seconds',
  connecttimeout: 'it is timeouts.connect, in seconds',
  connectiontimeout: 'it is timeouts.connect, in seconds',
  headerstimeout: 'it is timeouts.headers, in seconds',
  bodytimeout: 'it is timeouts.idle, in seconds',
  readtimeout: 'it is timeouts.headers and timeouts.idle, in seconds',
  canceltoken: 'it is signal, an AbortSignal',
  abort: 'it is signal, an AbortSignal',
  maxheadersize: 'it is limits.head, in bytes',
  maxcontentlength: 'it is limits.body, in bytes',
  maxresponsesize: 'it is limits.body, in bytes',
  maxbodylength: 'what is sent has no limit: leave it out',
  highwatermark: 'it is blocksize, in bytes',
  // what there is none of
  strict: 'heads and chunks are always parsed strictly: leave it out',
  insecurehttpparser: 'heads and chunks are always parsed strictly: leave it out',
  strictcontentlength: 'lengths are always checked: leave it out',
  mode: BROWSER,
  cache: 'nothing is cached: leave it out',
  referrer: 'send a Referer header',
  referrerpolicy: BROWSER,
  integrity: BROWSER,
});
