// Starts sagas of the definition trip, as any service does: by SQL in its own transaction, or by a message.
const crypto = require('crypto');
const amqp = require('amqplib');
const { Client } = require('pg');

const ways = {
  // One transaction: your own rows, and the start. It needs the service's outbox and the relay that serves it.
  async sql(key, payload) {
    const db = new Client({ connectionString: process.env.DATABASE_URL });
    await db.connect();
    try {
      await db.query('BEGIN');
      // Your own statements come here. A rollback takes the start back, too; so does the end of the connection.
      await db.query("SELECT saga_start('trip', $1, $2, service => 'orders')", [key, JSON.stringify(payload)]);
      await db.query('COMMIT');
    } finally {
      await db.end();
    }
  },
  // For who has no PostgreSQL: after an error, or no answer, send it again. There is one saga of a key.
  async message(key, payload) {
    const broker = await amqp.connect(process.env.AMQP_URL);
    try {
      const channel = await broker.createConfirmChannel();
      let unroutable = false;
      channel.on('return', () => { unroutable = true; }); // comes before the confirm
      channel.publish('', 'saga.replies.orders', Buffer.from(JSON.stringify({ key, payload })), {
        messageId: crypto.createHash('sha256').update(`trip/${key}`).digest('hex'),
        contentType: 'application/json', persistent: true, mandatory: true,
        headers: { cloudEvents_sagatype: 'trip', cloudEvents_sagaop: 'START' },
      });
      await channel.waitForConfirms();
      if (unroutable) throw new Error('there is no queue saga.replies.orders: its orchestrator has never run');
    } finally {
      await broker.close();
    }
  },
};

// A business key is an order's number, say. There is one saga of a key, however often it is started.
const [way, key, payload] = process.argv.slice(2);
if (!ways[way] || !key || !payload) {
  console.error('usage: node start.js {sql|message} KEY \'{"cents": 5000, "nights": 2, "seats": 1}\'');
  process.exit(2);
}
ways[way](key, JSON.parse(payload)).catch((error) => {
  console.error(`the saga ${key} was not started, or it is unknown whether: ${error.message}`);
  process.exitCode = 1;
});
