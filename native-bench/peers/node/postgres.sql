-- The store of the PostgreSQL peers. Codes: 0 accepted, 1 already-invested, 2 insufficient-balance, 3 round-full.
-- Every function is one transaction of its own, and with synchronous_commit its caller hears of it when it is on disk.

CREATE TABLE journal (id text NOT NULL);
CREATE TABLE investor (id text PRIMARY KEY, balance bigint NOT NULL);
CREATE TABLE verdict (
  investor text NOT NULL,
  key text NOT NULL,
  code smallint NOT NULL,
  amount bigint NOT NULL,
  sequence bigint NOT NULL,
  at bigint NOT NULL,
  extra bigint NOT NULL,
  PRIMARY KEY (investor, key)
);
CREATE SEQUENCE verdict_sequence;

-- The room that is left, in slots: a row lock lasts until its transaction is on disk, so that one row would make one
-- transaction a sync. A caller of `admit` has one of 64, a caller of `admit_batch` names its own. Few rows a page, for each is updated in place thousands of times a second.
CREATE TABLE room (slot int PRIMARY KEY, remaining bigint NOT NULL) WITH (fillfactor = 10);

CREATE TYPE answer AS (
  code smallint, amount bigint, sequence bigint, at bigint, extra bigint, replayed boolean
);

-- Takes room from all slots together when the caller's own has too little, and spreads out again what is left. All
-- slots are locked in order, so that the sum is exact: a round is full only when it is. The room before it, or -1 if taken.
CREATE FUNCTION take_from_all(p_amount bigint) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
  total bigint;
  slots int;
BEGIN
  PERFORM 1 FROM room ORDER BY slot FOR UPDATE;
  SELECT sum(remaining), count(*) INTO total, slots FROM room;
  IF total < p_amount THEN
    RETURN total;
  END IF;
  total := total - p_amount;
  UPDATE room SET remaining = total / slots + CASE WHEN slot < total % slots THEN 1 ELSE 0 END;
  RETURN -1;
END $$;

-- One investment. Null when its terms refuse it and its key is new.
CREATE FUNCTION admit(
  p_investor text, p_key text, p_amount bigint, p_refused boolean, p_now bigint
) RETURNS answer LANGUAGE plpgsql AS $$
DECLARE
  said answer;
  earlier record;
  live bigint;
  held bigint;
BEGIN
  -- Requests of one investor follow each other, also on other connections; the lock is let go after the commit.
  PERFORM pg_advisory_xact_lock(hashtextextended(p_investor, 0));
  FOR earlier IN SELECT v.* FROM verdict v WHERE v.investor = p_investor LOOP
    IF earlier.key = p_key THEN
      RETURN (earlier.code, earlier.amount, earlier.sequence, earlier.at, earlier.extra, true)::answer;
    END IF;
    IF earlier.code = 0 THEN
      live := earlier.sequence;
    END IF;
  END LOOP;
  IF p_refused THEN
    RETURN NULL;
  END IF;
  said := (0, p_amount, nextval('verdict_sequence'), p_now, 0, false)::answer;
  IF live IS NOT NULL THEN
    said.code := 1;
    said.extra := live;
  ELSE
    SELECT balance INTO held FROM investor WHERE id = p_investor;
    IF held IS NULL OR held < p_amount THEN
      said.code := 2;
    ELSE
      UPDATE room SET remaining = remaining - p_amount
        WHERE slot = pg_backend_pid() % 64 AND remaining >= p_amount;
      IF NOT FOUND THEN
        said.extra := take_from_all(p_amount);
        IF said.extra < 0 THEN
          said.extra := 0;
        ELSE
          said.code := 3;
        END IF;
      END IF;
    END IF;
  END IF;
  INSERT INTO verdict VALUES (p_investor, p_key, said.code, p_amount, said.sequence, p_now, said.extra);
  RETURN said;
END $$;

-- Many investments of different investors. No other call may be under way for any of them. One row for each but those
-- that are refused by their terms and new; the caller knows its requests by their investors.
CREATE FUNCTION admit_batch(
  p_slot int, p_investors text[], p_keys text[], p_amounts bigint[], p_refused boolean[], p_now bigint
) RETURNS TABLE (
  investor text, code smallint, amount bigint, sequence bigint, at bigint, extra bigint, replayed boolean
) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  a_replay CONSTANT smallint := 8;
  a_refusal CONSTANT smallint := 9;
  codes smallint[];
  extras bigint[];
  wanted bigint;
  replays bigint;
  left_over bigint;
  slots int;
BEGIN
  SELECT array_agg(judged.code ORDER BY judged.position), array_agg(judged.live ORDER BY judged.position),
         coalesce(sum(judged.amount) FILTER (WHERE judged.code = 0), 0), count(*) FILTER (WHERE judged.code = a_replay)
    INTO codes, extras, wanted, replays
    FROM (
      SELECT asked.position, asked.amount, coalesce(held.sequence, 0) AS live,
             CASE WHEN known.code IS NOT NULL THEN a_replay
                  WHEN asked.refused THEN a_refusal
                  WHEN held.sequence IS NOT NULL THEN 1::smallint
                  WHEN coalesce(owner.balance, 0) < asked.amount THEN 2::smallint
                  ELSE 0::smallint END AS code
        FROM unnest(p_investors, p_keys, p_amounts, p_refused)
             WITH ORDINALITY AS asked (investor, key, amount, refused, position)
        LEFT JOIN verdict known ON known.investor = asked.investor AND known.key = asked.key
        LEFT JOIN verdict held ON held.investor = asked.investor AND held.code = 0
        LEFT JOIN investor owner ON owner.id = asked.investor
    ) AS judged;
  IF wanted > 0 THEN
    UPDATE room SET remaining = remaining - wanted WHERE slot = p_slot AND remaining >= wanted;
    IF NOT FOUND THEN
      PERFORM 1 FROM room ORDER BY slot FOR UPDATE;
      SELECT sum(remaining), count(*) INTO left_over, slots FROM room;
      FOR at IN 1 .. cardinality(codes) LOOP
        IF codes[at] = 0 AND p_amounts[at] <= left_over THEN
          left_over := left_over - p_amounts[at];
        ELSIF codes[at] = 0 THEN
          codes[at] := 3;
          extras[at] := left_over;
        END IF;
      END LOOP;
      UPDATE room SET remaining = left_over / slots + CASE WHEN slot < left_over % slots THEN 1 ELSE 0 END;
    END IF;
  END IF;
  RETURN QUERY
    INSERT INTO verdict AS stored
      SELECT row.investor, row.key, row.code, row.amount, nextval('verdict_sequence'), p_now,
             CASE WHEN row.code IN (1, 3) THEN row.extra ELSE 0 END
        FROM unnest(p_investors, p_keys, p_amounts, codes, extras) AS row (investor, key, amount, code, extra)
       WHERE row.code < a_replay
    RETURNING stored.investor, stored.code, stored.amount, stored.sequence, stored.at, stored.extra, false;
  IF replays > 0 THEN
    RETURN QUERY
      SELECT known.investor, known.code, known.amount, known.sequence, known.at, known.extra, true
        FROM unnest(p_investors, p_keys, codes) AS row (investor, key, code)
        JOIN verdict known ON known.investor = row.investor AND known.key = row.key
       WHERE row.code = a_replay;
  END IF;
END $$;
