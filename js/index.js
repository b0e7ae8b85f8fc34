// SPDX-License-Identifier: MIT
//
// porthole: Python's http.client for Node. Importing it has no side effect.

export { HTTPConnection } from './api/connection.js';
export { HTTP_PORT, HTTPS_PORT } from './api/constants.js';
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
export * from '../bindings/generated/status.js';
export { HTTPSConnection } from './api/https.js';
export { HTTPMessage } from './api/message.js';
export { proxy_from_environment } from './api/proxy.js';
export { HTTPResponse } from './api/response.js';
export {
  _create_unverified_context,
  CERT_NONE,
  CERT_OPTIONAL,
  CERT_REQUIRED,
  create_default_context,
  SSLContext,
} from './api/context.js';
