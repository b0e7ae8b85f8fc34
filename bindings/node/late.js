// SPDX-License-Identifier: MIT
//
// A peer that refuses a request while it is sent says why and closes; what is sent then is answered by a reset. The write
// fails at once, and the socket is destroyed with what the peer had said still unread in the kernel. So an error of a write
// waits here until the event loop has taken what is there: an alert of TLS that comes first is the error instead.

const LOST = new Set(['EPIPE', 'ECONNRESET', 'ECONNABORTED']);

/** Turns of the event loop in which nothing more was received until an error of a write counts. */
const QUIET_TURNS = 2;

/** @param {import('node:net').Socket} socket of our own, whose errors of writes are to wait */
export function delayWriteErrors(socket) {
  const delayed = (done) => (error) => {
    if (error && LOST.has(error.code)) whenQuiet(socket, () => done(error));
    else done(error);
  };
  const { _write, _writev } = socket;
  socket._write = (chunk, encoding, done) => _write.call(socket, chunk, encoding, delayed(done));
  if (_writev) socket._writev = (chunks, done) => _writev.call(socket, chunks, delayed(done));
}

function whenQuiet(socket, run) {
  let received = socket.bytesRead;
  let quiet = 0;
  const look = () => {
    quiet = socket.bytesRead === received ? quiet + 1 : 0;
    received = socket.bytesRead;
    if (socket.destroyed || quiet > QUIET_TURNS) run();
    else setImmediate(look);
  };
  setImmediate(look);
}
