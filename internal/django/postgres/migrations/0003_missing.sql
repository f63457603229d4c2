-- Who was missing before she was gone: restore finds her by either snapshot.

ALTER TABLE ldapsync.link
    ADD COLUMN missing_seq bigint; -- the gone_seq that it had while it was missing, if it has another one since; NULL takes no room
