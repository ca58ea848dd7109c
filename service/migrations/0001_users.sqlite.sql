CREATE TABLE IF NOT EXISTS users (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    email TEXT NOT NULL,
    phone TEXT NOT NULL,
    program TEXT NOT NULL,
    created_at TIMESTAMP NOT NULL,
    CONSTRAINT users_email UNIQUE (email)
);
