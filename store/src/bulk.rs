//! One statement for many rows: a batch asks a database that is far away a few times, whatever the
//! number of its rows. SQLite in place takes them one by one: it prepares one statement only, and
//! keeps no journal to undo half of it.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::OnceLock;

use crate::Result;
use crate::db::{Places, Tx, Value};

/// Each number of rows up to here is a statement that stays prepared.
const SHORT: usize = 16;
/// And this one: the rows of a full batch.
const LONG: usize = 64;

/// A statement over the VALUES of any number of rows.
pub(crate) struct Bulk {
    /// Up to the word VALUES.
    head: &'static str,
    columns: usize,
    /// After the last row.
    tail: &'static str,
    short: [Texts; SHORT],
    long: Texts,
}

/// The statement for one number of rows, made once for each database.
struct Texts {
    marks: OnceLock<String>,
    numbered: OnceLock<String>,
}

impl Texts {
    const fn new() -> Self {
        Self { marks: OnceLock::new(), numbered: OnceLock::new() }
    }
}

impl Bulk {
    pub(crate) const fn new(head: &'static str, columns: usize, tail: &'static str) -> Self {
        Self { head, columns, tail, short: [const { Texts::new() }; SHORT], long: Texts::new() }
    }

    /// Runs it for all rows, whose values stand one row after the other.
    pub(crate) async fn run(&'static self, tx: &mut Tx, values: &[Value<'_>]) -> Result<()> {
        if let Tx::InPlace(tx) = tx {
            if values.is_empty() {
                return Ok(());
            }
            let one = self.short[0].marks.get_or_init(|| self.text(1, Places::Marks));
            return tx.run_each(one, self.columns, values);
        }
        let mut rest = values;
        while !rest.is_empty() {
            let (rows, texts) = self.next(rest.len() / self.columns);
            let (these, others) = rest.split_at((rows * self.columns).min(rest.len()));
            let sql = match tx.places() {
                Places::Marks => texts.marks.get_or_init(|| self.text(rows, Places::Marks)),
                Places::Numbered => {
                    texts.numbered.get_or_init(|| self.text(rows, Places::Numbered))
                }
            };
            tx.run(sql.as_str(), these).await?;
            rest = others;
        }
        Ok(())
    }

    /// How many of the rows the next statement takes, and its texts.
    fn next(&'static self, rows: usize) -> (usize, &'static Texts) {
        if rows >= LONG {
            return (LONG, &self.long);
        }
        let rows = rows.clamp(1, SHORT);
        (rows, &self.short[rows - 1])
    }

    fn text(&self, rows: usize, places: Places) -> String {
        let mut sql = format!("{} VALUES ", self.head);
        for row in 0..rows {
            sql.push_str(if row == 0 { "(" } else { ", (" });
            for column in 1..=self.columns {
                sql.push_str(if column == 1 { "" } else { ", " });
                // Writing to a String cannot fail.
                let _ = match places {
                    Places::Marks => write!(sql, "?"),
                    Places::Numbered => write!(sql, "${}", row * self.columns + column),
                };
            }
            sql.push(')');
        }
        sql.push_str(self.tail);
        sql
    }
}

/// The rows in their order, cut where a key comes again: PostgreSQL changes no row twice in one
/// statement.
pub(crate) fn without_repeats<T, K: Ord>(rows: &[T], key: impl Fn(&T) -> K) -> Vec<&[T]> {
    let mut parts = Vec::new();
    let (mut seen, mut begin) = (BTreeSet::new(), 0);
    for (place, row) in rows.iter().enumerate() {
        if !seen.insert(key(row)) {
            parts.push(&rows[begin..place]);
            begin = place;
            seen = BTreeSet::from([key(row)]);
        }
    }
    if begin < rows.len() {
        parts.push(&rows[begin..]);
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    static PAIRS: Bulk = Bulk::new("INSERT INTO pairs (a, b)", 2, " ON CONFLICT DO NOTHING");

    #[test]
    fn a_statement_of_two_rows_has_places_for_both_in_each_databases_way() {
        let marks = "INSERT INTO pairs (a, b) VALUES (?, ?), (?, ?) ON CONFLICT DO NOTHING";
        assert_eq!(PAIRS.text(2, Places::Marks), marks);
        assert!(PAIRS.text(2, Places::Numbered).contains("VALUES ($1, $2), ($3, $4) ON"));
    }

    #[test]
    fn many_rows_are_cut_into_statements_of_known_lengths() {
        let mut rest = 180_usize;
        let mut lengths = Vec::new();
        while rest > 0 {
            let (rows, _) = PAIRS.next(rest);
            lengths.push(rows);
            rest -= rows;
        }
        assert_eq!(lengths, [64, 64, 16, 16, 16, 4]);
    }

    #[test]
    fn rows_are_cut_where_a_key_comes_again() {
        let cut = |rows: &'static [u8]| without_repeats(rows, |row| *row);
        assert!(cut(b"").is_empty());
        assert_eq!(cut(b"abc"), [b"abc"]);
        assert_eq!(cut(b"abbacb"), [&b"ab"[..], b"bac", b"b"]);
    }
}
