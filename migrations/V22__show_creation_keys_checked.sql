ALTER TABLE shows VALIDATE CONSTRAINT shows_creation_hashes;
