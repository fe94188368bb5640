// A web server on the socket that stakeout keeps open, so that no restart refuses anybody.
const http = require("http");

const server = http.createServer((request, response) => response.end("hello from Node\n"));

// The protocol of sd_listen_fds(3): descriptor 3 is the first socket.
server.listen(process.env.LISTEN_FDS ? { fd: 3 } : { port: 8000 });

// Answers what was asked, and goes.
process.on("SIGTERM", () => server.close(() => process.exit(0)));
