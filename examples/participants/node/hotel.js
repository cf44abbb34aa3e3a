// A participant of sagas in Node.js: it books nights and cancels them.
const amqp = require('amqplib');
const { Client } = require('pg');

class Refused extends Error {} // a business no: nothing took effect

const work = {
  'hotel REQUEST': async (db, saga, { nights }) => {
    if (nights > 14) throw new Refused('No room for so long');
    await db.query('INSERT INTO booking (saga, nights) VALUES ($1, $2)', [saga, nights]);
    return { booking: saga };
  },
  'hotel CANCEL': async (db, saga) => {
    await db.query('INSERT INTO booking (saga, nights) SELECT saga, -nights FROM booking WHERE saga = $1', [saga]);
  },
};
const done = { REQUEST: 'succeeded', CONFIRM: 'confirmed', CANCEL: 'compensated' };

// One command is one transaction. Returns why the message is none, if so.
async function handle(db, message, body) {
  await db.query('BEGIN');
  const { rows: [c] } = await db.query('SELECT run, unreadable, saga, step, operation, payload::text FROM saga_command_take($1, $2)', [message, body]);
  if (c.run) {
    const answer = (outcome, content) => db.query('SELECT saga_command_answer($1, $2, $3)', [message, outcome, JSON.stringify(content)]);
    await db.query('SAVEPOINT work');
    try {
      const carryOut = work[`${c.step} ${c.operation}`];
      if (!carryOut) throw new Refused('Not a step of this service');
      await answer(done[c.operation], await carryOut(db, c.saga, JSON.parse(c.payload)) ?? {});
    } catch (error) {
      console.error(`${c.operation} of saga ${c.saga}:`, error.message);
      await db.query('ROLLBACK TO SAVEPOINT work');
      if (error instanceof Refused) await answer('failed', { type: 'urn:problem:hotel:refused', title: error.message });
      else await answer('retry', {});
    }
  }
  await db.query('COMMIT');
  return c.unreadable;
}

async function consume(db, broker, end) {
  await db.connect();
  const { rows: [own] } = await db.query('SELECT * FROM saga_command_queue()');
  const channel = await broker.createChannel();
  channel.on('error', end);
  await channel.assertExchange('saga.commands', 'topic');
  await channel.assertExchange('saga.dead', 'direct');
  await channel.assertQueue(own.dead, { arguments: own.dead_arguments });
  await channel.bindQueue(own.dead, 'saga.dead', own.mark);
  await channel.assertQueue(own.queue, { arguments: own.arguments });
  await channel.bindQueue(own.queue, 'saga.commands', own.service);
  await channel.prefetch(20);
  const next = async (m) => { // m is null where the queue was deleted
    const { messageId, replyTo, contentType, contentEncoding, headers } = m.properties;
    const message = { message_id: messageId, reply_to: replyTo, content_type: contentType, content_encoding: contentEncoding, headers };
    const unreadable = await handle(db, JSON.stringify(message), m.content);
    if (!unreadable) return channel.ack(m);
    console.error(`message ${messageId} goes to ${own.dead}: ${unreadable}`);
    channel.reject(m, false);
  };
  let last = Promise.resolve(); // one after the other, and none after one that failed
  await channel.consume(own.queue, (m) => { last = last.then(() => next(m)); last.catch(end); });
}

async function session() {
  const broker = await amqp.connect(process.env.AMQP_URL);
  const db = new Client({ connectionString: process.env.DATABASE_URL });
  await new Promise((_, end) => {
    broker.on('error', end).on('close', () => end(new Error('the broker has closed the connection')));
    db.on('error', end);
    consume(db, broker, end).catch(end);
  }).finally(() => Promise.allSettled([broker.close(), db.end()]));
}

(async () => {
  for (let pause = 0.5; ;) { // whatever ends the session: what was not acknowledged comes again
    const began = Date.now();
    await session().catch((error) => console.error('the session ended, the next one begins after a pause:', error.message));
    pause = Date.now() - began > 60000 ? 1 : Math.min(2 * pause, 30);
    await new Promise((after) => setTimeout(after, pause * 1000));
  }
})();
