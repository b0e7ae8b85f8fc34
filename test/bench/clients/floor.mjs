// SPDX-License-Identifier: MIT
//
// The floor: a bare socket that counts bytes. It reads one head, the first, to learn how long the answers are.

import net from 'node:net';
import { main } from './harness.mjs';

/** What an answer with this head, the first bytes of which are `text`, takes on the wire. */
function measure(path, text) {
  const end = text.indexOf('\r\n\r\n') + 4;
  if (end < 4 || !text.startsWith('HTTP/1.1 200 ')) {
    throw new Error(`unexpected answer: ${text}`);
  }
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

function client({ host, port }) {
  let socket = null;
  let size = null;
  let received = 0;
  let pending = null;
  let path = '';

  function open(buffer) {
    received = 0;
    const opened = net.connect({
      host,
      port,
      onread: {
        buffer,
        callback(count, bytes) {
          size ??= measure(path, Buffer.from(bytes.buffer, bytes.byteOffset, count).toString('latin1'));
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

  const ownBuffer = Buffer.alloc(65536);
  const tail = ` HTTP/1.1\r\nHost: ${host}:${port}\r\nAccept-Encoding: identity\r\n`;
  return {
    read: (target) => exchange(target, `GET ${target}${tail}\r\n`, null, ownBuffer),
    stream: (target, view) => exchange(target, `GET ${target}${tail}\r\n`, null, view),
    upload: (target, body) =>
      exchange(target, `POST ${target}${tail}Content-Length: ${body.length}\r\n\r\n`, body, ownBuffer),
    close: () => socket?.destroy(),
  };
}

await main((where, count) => {
  const clients = Array.from({ length: count }, () => client(where));
  return { clients, close: () => clients.forEach((each) => each.close()) };
});
