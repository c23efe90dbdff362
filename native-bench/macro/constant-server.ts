// The yardstick: a bare uWebSockets.js server that reads everything that an admission reads (path, headers, whole body)
// and answers one constant. Run as `node constant-server.js '<{"head","body"} as JSON>'`; prints its port.

import uWS from 'uWebSockets.js';

interface Answer {
  /** Status line and headers, as the edge writes them. */
  readonly head: string;
  readonly body: string;
}

const { head, body } = JSON.parse(process.argv[2] ?? '{}') as Answer;
const bytes = Buffer.from(body);
let read = 0;

const app = uWS.App();
app.post('/v1/rounds/:round/investments', (res, req) => {
  let isAborted = false;
  res.onAborted(() => {
    isAborted = true;
  });
  read +=
    (req.getParameter(0) ?? '').length +
    req.getHeader('content-type').length +
    req.getHeader('authorization').length +
    req.getHeader('idempotency-key').length +
    req.getHeader('accept').length +
    req.getHeader('content-length').length;
  res.onData((chunk, isLast) => {
    read += new Uint8Array(chunk).length;
    if (!isLast || isAborted) return;
    res.cork(() => {
      res.writeStatus(head);
      res.end(bytes);
    });
  });
});
app.listen('127.0.0.1', 0, (socket) => {
  if (socket === false) throw new Error('no port');
  console.log(`${uWS.us_socket_local_port(socket)}`);
});
process.once('SIGTERM', () => {
  console.log(`read ${read}`);
  app.close();
});
