//! Tables in Markdown that can be read without rendering.

/// The first column is aligned to the left, all others to the right.
#[derive(Debug)]
pub struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    pub fn new<S: Into<String>>(header: impl IntoIterator<Item = S>) -> Self {
        Self { rows: vec![header.into_iter().map(Into::into).collect()] }
    }

    pub fn row<S: Into<String>>(&mut self, cells: impl IntoIterator<Item = S>) {
        self.rows.push(cells.into_iter().map(Into::into).collect());
    }
}

impl std::fmt::Display for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column: usize| {
            self.rows.iter().filter_map(|row| row.get(column)).map(String::len).max().unwrap_or(0)
        };
        for (number, row) in self.rows.iter().enumerate() {
            for (column, cell) in row.iter().enumerate() {
                let width = width(column);
                if column == 0 { write!(f, "| {cell:<width$} |")? } else { write!(f, " {cell:>width$} |")? }
            }
            writeln!(f)?;
            if number == 0 {
                write!(f, "|{:-<1$}|", "", width(0) + 2)?;
                for column in 1..columns {
                    write!(f, "{:-<1$}:|", "", width(column) + 1)?;
                }
                writeln!(f)?;
            }
        }
        Ok(())
    }
}

/// Three significant digits, as far as whole numbers allow; `-` if nothing was measured.
pub fn number(value: Option<f64>) -> String {
    match value {
        None => "-".to_owned(),
        Some(value) if value < 10.0 => format!("{value:.2}"),
        Some(value) if value < 100.0 => format!("{value:.1}"),
        Some(value) => format!("{value:.0}"),
    }
}

/// `10 k`, `1 M`.
pub fn count(connections: u32) -> String {
    match connections {
        1_000_000.. => format!("{} M", connections / 1_000_000),
        1_000.. => format!("{} k", connections / 1_000),
        _ => connections.to_string(),
    }
}
