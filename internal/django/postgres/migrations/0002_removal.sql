-- Removal safety: who is missing, what people took back, and what waits for a person.

ALTER TABLE ldapsync.checkpoint
    ADD COLUMN complete boolean NOT NULL DEFAULT false; -- a committed snapshot of this stream was applied as a whole

-- state may be missing: the source's grace isn't over. deactivated_by may be restored: a person took back what sync did. how may be orphan: no
-- entry ever stood behind the row.
ALTER TABLE ldapsync.link
    ADD COLUMN gone_at timestamptz,                     -- when it became missing or gone
    ADD COLUMN restored_seq bigint NOT NULL DEFAULT 0,  -- the gone_seq of the absence in which it was last restored
    ADD COLUMN restored_by text NOT NULL DEFAULT '',
    ADD COLUMN restored_at timestamptz;
DROP INDEX ldapsync.link_gone;
CREATE INDEX link_gone ON ldapsync.link (source, id) WHERE state IN ('missing', 'gone');

-- Accounts that would become gone, too many at once: they wait for a person, or a person said that they stay.
CREATE TABLE ldapsync.held (
    source text COLLATE "C" NOT NULL, -- whose applier judged
    change text COLLATE "C" NOT NULL, -- orphans
    hash text COLLATE "C" NOT NULL,   -- stands for exactly these accounts
    accounts bigint NOT NULL,         -- how many
    total bigint NOT NULL,            -- of how many
    reason text NOT NULL,             -- which limit was met
    since timestamptz NOT NULL,
    entries bytea NOT NULL,           -- for each account 16 bytes of the SHA-256 of its primary key
    decision text NOT NULL,           -- '', approved, rejected
    decided_by text NOT NULL,
    decided_at timestamptz,
    decided_why text NOT NULL,
    PRIMARY KEY (source, change, hash)
);
