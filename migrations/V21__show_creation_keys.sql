-- What makes a repeated POST /admin/shows recognisable: the hash of who made it and of its Idempotency-Key, and the hash of its body.
-- Written by the functions with the show, read by them, never changed. No personal data can be had from either: whoever knows a
-- subject still lacks the key, which the client made up. They stay as long as the show.
ALTER TABLE shows
    ADD COLUMN creation_key bytea,
    ADD COLUMN creation_request bytea,
    ADD CONSTRAINT shows_creation_hashes
        CHECK ((creation_key IS NULL) = (creation_request IS NULL)
            AND octet_length(creation_key) = 32 AND octet_length(creation_request) = 32) NOT VALID;
