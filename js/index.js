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
export { HTTPMessage } from './message.js';
export { HTTPResponse } from './response.js';
