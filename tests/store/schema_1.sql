CREATE TABLE catalyst_meta (
    "key" VARCHAR(40) NOT NULL,
    value VARCHAR(200) NOT NULL,
    PRIMARY KEY ("key")
);
CREATE TABLE races (
    id VARCHAR(40) NOT NULL,
    created FLOAT NOT NULL,
    config TEXT NOT NULL,
    PRIMARY KEY (id)
);
CREATE TABLE runs (
    id VARCHAR(50) NOT NULL,
    race_id VARCHAR(40) NOT NULL,
    position INTEGER NOT NULL,
    config TEXT NOT NULL,
    state VARCHAR(10) NOT NULL,
    queued FLOAT NOT NULL,
    attempt INTEGER NOT NULL,
    stage VARCHAR(20) NOT NULL,
    step INTEGER NOT NULL,
    total_steps INTEGER NOT NULL,
    seconds FLOAT NOT NULL,
    accuracy FLOAT,
    share_pruned FLOAT,
    pid INTEGER,
    process_created FLOAT,
    host VARCHAR(255),
    heartbeat FLOAT,
    started FLOAT,
    finished FLOAT,
    reason TEXT NOT NULL,
    log_tail TEXT NOT NULL,
    ledger TEXT,
    PRIMARY KEY (id),
    FOREIGN KEY(race_id) REFERENCES races (id) ON DELETE CASCADE
);
CREATE INDEX ix_runs_race_id ON runs (race_id);
CREATE INDEX ix_runs_state ON runs (state);
CREATE TABLE events (
    cursor INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    run_id VARCHAR(50) NOT NULL,
    attempt INTEGER NOT NULL,
    time FLOAT NOT NULL,
    kind VARCHAR(20) NOT NULL,
    body TEXT NOT NULL,
    FOREIGN KEY(run_id) REFERENCES runs (id) ON DELETE CASCADE
);
CREATE INDEX events_of_a_run ON events (run_id, attempt, cursor);
CREATE TABLE commands (
    id INTEGER NOT NULL,
    run_id VARCHAR(50) NOT NULL,
    time FLOAT NOT NULL,
    body TEXT NOT NULL,
    taken INTEGER NOT NULL,
    PRIMARY KEY (id),
    FOREIGN KEY(run_id) REFERENCES runs (id) ON DELETE CASCADE
);
CREATE INDEX commands_waiting ON commands (run_id, taken, id);
INSERT INTO catalyst_meta VALUES ('schema', '1');
