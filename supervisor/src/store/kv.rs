//! Keys and values of a plugin, in a database of its own (SQLite). A change is in it as a whole or not at all, also when
//! whoever made it is killed, and stays when power is lost.

use super::error::StoreError;
use rusqlite::{Connection, OpenFlags, OptionalExtension as _, Transaction, TransactionBehavior, params};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Bytes of a key.
pub(crate) const KEY_BYTES_MAX: usize = 512;

/// What a key costs besides its own bytes and its value's, so that many small ones are no way around the limit.
const KEY_OVERHEAD_BYTES: u64 = 64;

/// How long another process that uses the same database is waited for.
const PATIENCE: Duration = Duration::from_secs(5);

/// What the database is of, in its `user_version`.
const FORMAT: i32 = 1;

const TABLES: &str = "
    CREATE TABLE kv (key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
    CREATE TABLE held (bytes INTEGER NOT NULL);
    INSERT INTO held VALUES (0);
";

/// A database of keys and values, opened when it is first used.
#[derive(Debug)]
pub(crate) struct Kv {
    path: PathBuf,
    connection: Mutex<Option<Connection>>,
}

/// Keys in their order.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Keys {
    pub(crate) keys: Vec<String>,
    /// Whether there are more behind the last one.
    pub(crate) more: bool,
}

impl Kv {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, connection: Mutex::default() }
    }

    pub(super) fn is_open(&self) -> bool {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    /// Does something with the database, which is opened or made for it.
    fn with<T>(&self, work: impl FnOnce(&mut Connection) -> rusqlite::Result<T>) -> Result<T, StoreError> {
        let mut connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        let failed = |source| StoreError::Database { path: self.path.clone(), source };
        let open = match &mut *connection {
            Some(open) => open,
            closed => closed.insert(self.open().map_err(failed)?),
        };
        work(open).map_err(failed)
    }

    fn open(&self) -> rusqlite::Result<Connection> {
        // What the folder's owner has made is not to be followed elsewhere.
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX
            | OpenFlags::SQLITE_OPEN_NOFOLLOW;
        let mut connection = Connection::open_with_flags(&self.path, flags)?;
        connection.busy_timeout(PATIENCE)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        let transaction = begin(&mut connection)?;
        if transaction.pragma_query_value(None, "user_version", |row| row.get::<_, i32>(0))? != FORMAT {
            transaction.execute_batch(TABLES)?;
            transaction.pragma_update(None, "user_version", FORMAT)?;
        }
        transaction.commit()?;
        Ok(connection)
    }

    /// A value.
    pub(crate) fn get(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.with(|database| {
            let mut statement = database.prepare_cached("SELECT value FROM kv WHERE key = ?")?;
            statement.query_row([key], |row| row.get(0)).optional()
        })
    }

    /// Keeps a value, in the place of what the key had, if all of them together are not more than so many bytes then.
    pub(crate) fn set(&self, key: &str, value: &[u8], bytes_max: u64) -> Result<(), StoreError> {
        let observed = self.with(|database| {
            let transaction = begin(database)?;
            let before = cost_in(&transaction, key)?.unwrap_or(0);
            let held = held(&transaction)?.saturating_sub(before).saturating_add(cost(key, value.len()));
            // What makes it less is taken also when it is too much already: limits can be lowered.
            if held > bytes_max && cost(key, value.len()) > before {
                return Ok(Some(held));
            }
            transaction
                .prepare_cached("INSERT OR REPLACE INTO kv (key, value) VALUES (?, ?)")?
                .execute(params![key, value])?;
            hold(&transaction, held)?;
            transaction.commit()?;
            Ok(None)
        })?;
        match observed {
            Some(observed) => Err(StoreError::Full { configured: bytes_max, observed }),
            None => Ok(()),
        }
    }

    /// Removes a key; whether it was there.
    pub(crate) fn delete(&self, key: &str) -> Result<bool, StoreError> {
        self.with(|database| {
            let transaction = begin(database)?;
            let Some(before) = cost_in(&transaction, key)? else { return Ok(false) };
            transaction.prepare_cached("DELETE FROM kv WHERE key = ?")?.execute([key])?;
            let held = held(&transaction)?.saturating_sub(before);
            hold(&transaction, held)?;
            transaction.commit()?;
            Ok(true)
        })
    }

    /// Keys that begin so and come after another, in the order of their bytes, as many as wanted and as are not more than so
    /// many bytes together.
    pub(crate) fn list(
        &self,
        prefix: &str,
        after: &str,
        count_max: usize,
        bytes_max: usize,
    ) -> Result<Keys, StoreError> {
        self.with(|database| {
            let mut statement =
                database.prepare_cached("SELECT key FROM kv WHERE key >= ? AND key > ? ORDER BY key")?;
            let mut rows = statement.query([prefix, after])?;
            let (mut keys, mut bytes) = (Vec::new(), 0_usize);
            while let Some(row) = rows.next()? {
                let key: String = row.get(0)?;
                if !key.starts_with(prefix) {
                    break;
                }
                // As JSON: quotation marks, a comma, and what may have to be escaped.
                bytes = bytes.saturating_add(key.len().saturating_mul(6).saturating_add(3));
                if keys.len() == count_max || bytes > bytes_max {
                    return Ok(Keys { keys, more: true });
                }
                keys.push(key);
            }
            Ok(Keys { keys, more: false })
        })
    }

    /// What all of them come to, in bytes.
    #[cfg(test)]
    pub(super) fn held(&self) -> Result<u64, StoreError> {
        self.with(|database| held(&begin(database)?))
    }
}

/// Nobody else writes until it is over: what is read in it is still so when it is written.
fn begin(database: &mut Connection) -> rusqlite::Result<Transaction<'_>> {
    database.transaction_with_behavior(TransactionBehavior::Immediate)
}

fn cost(key: &str, value_bytes: usize) -> u64 {
    (key.len() as u64).saturating_add(value_bytes as u64).saturating_add(KEY_OVERHEAD_BYTES)
}

/// What a key that is there costs.
fn cost_in(transaction: &Transaction<'_>, key: &str) -> rusqlite::Result<Option<u64>> {
    let mut statement = transaction.prepare_cached("SELECT length(value) FROM kv WHERE key = ?")?;
    let bytes: Option<usize> = statement.query_row([key], |row| row.get(0)).optional()?;
    Ok(bytes.map(|bytes| cost(key, bytes)))
}

fn held(transaction: &Transaction<'_>) -> rusqlite::Result<u64> {
    transaction.prepare_cached("SELECT bytes FROM held")?.query_row([], |row| row.get(0))
}

fn hold(transaction: &Transaction<'_>, bytes: u64) -> rusqlite::Result<()> {
    transaction.prepare_cached("UPDATE held SET bytes = ?")?.execute([bytes]).map(drop)
}
