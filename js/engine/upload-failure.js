// SPDX-License-Identifier: MIT
//
// What failed an upload whose request was done, as its answer was in: the error of whatever comes next, a read of the response
// or an operation of the connection, and told to one of them only.

export class UploadFailure {
  /** @type {any} */
  error = null;
  #untold = false;
  #readerTold = false; // was a reader of the response, of whatever ended the connection?

  /** @param {any} error */
  set(error) {
    this.error = error;
    this.#untold = !this.#readerTold;
  }

  /** For who is told of it now. @returns {any} the error, or null when there is none, or somebody was told */
  take() {
    if (!this.#untold) return null;
    this.#untold = false;
    return this.error;
  }

  /** Somebody is told of an error, which may be this one. @param {any} error */
  told(error) {
    if (error === this.error) this.#untold = false;
  }

  /** A reader of the response is told of an error, behind which no other is. @param {any} error @returns {boolean} is it this one? */
  toldReader(error) {
    this.#readerTold = true;
    this.#untold = false;
    return error === this.error;
  }

  /** The caller has closed the connection: nobody is to be told any more. */
  drop() {
    this.#untold = false;
  }
}
