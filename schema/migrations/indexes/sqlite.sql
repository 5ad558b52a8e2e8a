-- Indexes of the large tables that are made when the first load is over: to build them in one go costs a quarter of keeping
-- them up for each row, whose keys are random. Whoever opens a ledger to write makes those that it does not have, so a
-- migration that changes one drops it under its old name and gives it another here. What differs most stands first where all
-- columns are asked for: keys are compared from the left.
CREATE INDEX IF NOT EXISTS records_identity ON records (identity, source, stream, id, sha);
CREATE UNIQUE INDEX IF NOT EXISTS entries_current ON entries (external_id, source) WHERE closed_seq IS NULL;
-- With all that is read of an entry in brief, so that it is not looked up in its table, where its neighbours are others.
CREATE INDEX IF NOT EXISTS entries_card ON entries (source, card_id, occurred_at, external_id, posted_at, kind, status, amount_minor, currency, merchant, reference, linked_id, closed_seq, commit_seq);
CREATE INDEX IF NOT EXISTS entries_time ON entries (occurred_at, source, posted_at);
CREATE INDEX IF NOT EXISTS entries_kin ON entries (source, card_id, currency, reference, occurred_at);
