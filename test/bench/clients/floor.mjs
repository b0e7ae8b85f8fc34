// SPDX-License-Identifier: MIT
//
// The floor: a bare socket that counts bytes. It reads one head, the first, to learn how long the answers are.

import net from 'node:net';
import tls from 'node:tls';

/** Where the head ends. */
function headEnd(text) {
  const end = text.indexOf('\r\n\r\n') + 4;
  if (end < 4 || !text.startsWith('HTTP/1.1 200 ')) {
    throw new Error(`unexpected answer: ${text.slice(0, 200)}`);
  }
  return end;
}

/** What an answer with this head, the first bytes of which are `text`, takes on the wire. */
function measure(path, text) {
  const end = headEnd(text);
  const head = text.slice(0, end);
  const closes = /^connection: close\r$/im.test(head);
  const length = /^content-length: (\d+)\r$/im.exec(head);
  if (length) {
    return { closes, body: Number(length[1]), wire: end + Number(length[1]) };
  }
  const [body, size] = path.split('/').slice(2).map(Number);
  const chunk = size.toString(16).length + 2 + size + 2;
  return { closes, body, wire: end + (body / size) * chunk + '0\r\n\r\n'.length };
}

/** The body of an answer, out of all its bytes. */
function decode(wire) {
  const end = headEnd(wire.toString('latin1', 0, 4096));
  if (!/^transfer-encoding: chunked\r$/im.test(wire.toString('latin1', 0, end))) {
    return wire.subarray(end);
  }
  const parts = [];
  for (let at = end; ; ) {
    const lineEnd = wire.indexOf('\r\n', at);
    const size = Number.parseInt(wire.toString('latin1', at, lineEnd), 16);
    if (size === 0) {
      return Buffer.concat(parts);
    }
    parts.push(wire.subarray(lineEnd + 2, lineEnd + 2 + size));
    at = lineEnd + 2 + size + 2;
  }
}

function client({ host, port, ca }, ownBuffer) {
  let socket = null;
  let size = null;
  let kept = null;
  let received = 0;
  let pending = null;
  let path = '';

  function open(buffer) {
    received = 0;
    const { connect } = ca ? tls : net;
    const opened = connect({
      host,
      port,
      ca,
      onread: {
        buffer,
        callback(count, bytes) {
          size ??= measure(path, Buffer.from(bytes.buffer, bytes.byteOffset, count).toString('latin1'));
          kept?.push(Buffer.from(bytes.subarray(0, count)));
          received += count;
          if (received === size.wire) {
            received = 0;
            if (size.closes) {
              socket = null;
              opened.destroy();
            }
            pending.resolve(size.body);
          } else if (received > size.wire) {
            pending.reject(new Error(`${received} bytes instead of ${size.wire}`));
          }
          return true;
        },
      },
    });
    opened.setNoDelay(true);
    opened.on('error', (error) => pending.reject(error));
    return opened;
  }

  function exchange(target, head, body, buffer) {
    return new Promise((resolve, reject) => {
      path = target;
      pending = { resolve, reject };
      socket ??= open(buffer);
      socket.write(head, 'latin1');
      if (body) {
        socket.write(body);
      }
    });
  }

  const tail = ` HTTP/1.1\r\nHost: ${host}:${port}\r\nAccept-Encoding: identity\r\n`;
  const read = async (target) => ({ length: await exchange(target, `GET ${target}${tail}\r\n`, null, ownBuffer) });
  return {
    read,
    stream: (target, view) => exchange(target, `GET ${target}${tail}\r\n`, null, view),
    async upload(target, body) {
      const head = `POST ${target}${tail}Content-Length: ${body.length}\r\n\r\n`;
      return { length: await exchange(target, head, body, ownBuffer) };
    },
    async whole(target) {
      kept = [];
      await read(target);
      const wire = Buffer.concat(kept);
      kept = null;
      // What follows may need another buffer, and is to look at its first head again.
      size = null;
      socket?.destroy();
      socket = null;
      return decode(wire);
    },
    close() {
      socket?.destroy();
      socket = null;
    },
  };
}

export async function open(where) {
  const buffer = Buffer.alloc(65536);
  const clients = Array.from({ length: where.count }, () => client(where, buffer));
  const all = [...clients];
  return {
    clients,
    close() {
      for (const each of all.splice(0)) each.close();
    },
  };
}
