.mode csv
.headers on
.once {out}
SELECT * FROM entries WHERE closed_seq IS NULL ORDER BY source, card_id, occurred_at, external_id;
