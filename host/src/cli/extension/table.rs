//! A table for people: columns as wide as they need to be, and remarks under a row.

/// On which side of its column a text stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Left,
    Right,
}

/// Lines with the same columns.
pub(super) struct Table<const COLUMNS: usize> {
    sides: [Side; COLUMNS],
    rows: Vec<([String; COLUMNS], Vec<String>)>,
}

impl<const COLUMNS: usize> Table<COLUMNS> {
    pub(super) fn new(headings: [(&str, Side); COLUMNS]) -> Self {
        Self {
            sides: headings.map(|(_, side)| side),
            rows: vec![(headings.map(|(heading, _)| heading.to_owned()), Vec::new())],
        }
    }

    /// One more row, with what there is to say under it.
    pub(super) fn row(&mut self, cells: [String; COLUMNS], remarks: Vec<String>) {
        self.rows.push((cells, remarks));
    }

    /// As text; ends with a line end.
    pub(super) fn text(&self) -> String {
        let mut widths = [0; COLUMNS];
        for (cells, _) in &self.rows {
            for (width, cell) in widths.iter_mut().zip(cells) {
                *width = cell.chars().count().max(*width);
            }
        }
        let mut text = String::new();
        for (cells, remarks) in &self.rows {
            let columns = cells.iter().zip(widths).zip(self.sides);
            let padded: Vec<_> = columns
                .map(|((cell, width), side)| match side {
                    Side::Left => format!("{cell:<width$}"),
                    Side::Right => format!("{cell:>width$}"),
                })
                .collect();
            text.push_str(padded.join("  ").trim_end());
            text.push('\n');
            for remark in remarks {
                text.push_str(&format!("  {remark}\n"));
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_they_need_to_be() {
        let mut table = Table::new([("NAME", Side::Left), ("COUNT", Side::Right)]);
        table.row(
            ["größer".to_owned(), "7".to_owned()],
            vec!["broken".to_owned()],
        );
        table.row(["a".to_owned(), "1000000".to_owned()], Vec::new());
        assert_eq!(
            table.text(),
            "NAME      COUNT\ngrößer        7\n  broken\na       1000000\n"
        );
    }
}
