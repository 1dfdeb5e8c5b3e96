"""The outbox's table in PostgreSQL: services write it, `callspool relay` empties it."""

from typing import Final

TABLE: Final = "callspool_outbox"
TABLE_SQL: Final = """\
CREATE TABLE IF NOT EXISTS callspool_outbox (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  request jsonb NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  refused text
);
CREATE INDEX IF NOT EXISTS callspool_outbox_waiting ON callspool_outbox (id) WHERE refused IS NULL;
CREATE OR REPLACE FUNCTION callspool_outbox_wake() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN PERFORM pg_notify('callspool_outbox', ''); RETURN NULL; END $$;
CREATE OR REPLACE TRIGGER callspool_outbox_wake AFTER INSERT OR UPDATE ON callspool_outbox
  FOR EACH STATEMENT EXECUTE FUNCTION callspool_outbox_wake();
"""
"""What the outbox is made of; ``refused`` says why a row cannot be enqueued as it is."""

DROP_SQL: Final = """\
DROP TABLE IF EXISTS callspool_outbox;
DROP FUNCTION IF EXISTS callspool_outbox_wake();
"""
