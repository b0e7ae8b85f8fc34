// SPDX-License-Identifier: MIT
//
// Type declarations of `porthole/wasi-tls`.

import type { ConnectionOptions } from 'node:tls';

/**
 * Options of `tls.connect`, as far as they can be cloned: a worker gets them. The name is the guest's to say, and the socket the
 * shim's.
 */
export type WasiTlsOptions = Omit<
  ConnectionOptions,
  'checkServerIdentity' | 'host' | 'lookup' | 'path' | 'port' | 'pskCallback' | 'secureContext' | 'servername' | 'socket'
>;

/**
 * Says whom to trust, and as whom: for all handshakes that begin from now on, in this realm. Without it they trust as Node does.
 *
 * @param options `ca`, `cert`, `key`, `ALPNProtocols` (else `http/1.1`), `minVersion` and the like. A function is asked for them at
 *   each handshake; what it throws is why that fails.
 */
export declare function configure(options: WasiTlsOptions | ((serverName: string) => WasiTlsOptions)): void;

/** The resources of `wasi:tls/types@0.2.0-draft`, for jco's `map`. */
export declare class ClientHandshake {
  constructor(serverName: string, input: object, output: object);
  static finish(handshake: ClientHandshake): FutureClientStreams;
}

export declare class FutureClientStreams {
  private constructor();
  subscribe(): object;
  get():
    | { tag: 'ok'; val: { tag: 'ok'; val: [ClientConnection, object, object] } | { tag: 'err'; val: object } }
    | { tag: 'err' }
    | undefined;
}

export declare class ClientConnection {
  private constructor();
  closeOutput(): void;
}

/** Is there TLS? */
export declare function isAvailable(): true;
