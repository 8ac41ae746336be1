// A quiet call of a client that pings. Arguments: port, milliseconds between two pings.
// Prints "ok", or the status code the call ended with.

import * as grpc from '@grpc/grpc-js';

const [port, interval] = process.argv.slice(2);
const client = new grpc.Client(`127.0.0.1:${port}`, grpc.credentials.createInsecure(), {
    'grpc.keepalive_time_ms': Number(interval),
    'grpc.keepalive_permit_without_calls': 1,
});
const bytes = (value) => value;
client.makeUnaryRequest('/quiet.Test/Wait', bytes, bytes, Buffer.alloc(0), (error) => {
    console.log(error ? error.code : 'ok');
    client.close();
});
