// SPDX-License-Identifier: MIT
//
// porthole: Python's http.client for Node. Importing it has no side effect.

export { HTTPConnection } from './connection.js';
export { HTTP_PORT, HTTPS_PORT } from './constants.js';
export {
  BadStatusLine,
  CannotSendHeader,
  CannotSendRequest,
  error,
  HTTPException,
  ImproperConnectionState,
  IncompleteRead,
  InvalidURL,
  LineTooLong,
  NotConnected,
  RemoteDisconnected,
  ResponseNotReady,
  TimeoutError,
  TunnelError,
  UnimplementedFileMode,
  UnknownProtocol,
  UnknownTransferEncoding,
} from './errors.js';
export * from './generated/status.js';
export { HTTPSConnection } from './https.js';
export { HTTPMessage } from './message.js';
export { proxy_from_environment } from './proxy.js';
export { HTTPResponse } from './response.js';
export {
  _create_unverified_context,
  CERT_NONE,
  CERT_OPTIONAL,
  CERT_REQUIRED,
  create_default_context,
  SSLContext,
} from './tls.js';
