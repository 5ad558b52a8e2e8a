.mode csv
.headers on
.once {dir}/entries.csv
SELECT source, external_id, card_id, kind, status, occurred_at, amount_minor, merchant, reference FROM entries WHERE closed_seq IS NULL;
.once {dir}/fundings.csv
SELECT reference, amount_minor, card_id FROM fundings;
