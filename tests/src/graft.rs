//! Core modules that no compiler would make, and components with such a module grafted on: it is instantiated with every
//! instance of the component, after everything else in it.

/// What is in a core module. All functions take and return nothing.
#[derive(Clone, Default)]
pub struct CoreModule {
    /// Tables of functions: how many elements each has at first.
    pub tables: Vec<u32>,
    /// Memories: how many pages of 64 KiB each has at first.
    pub memories: Vec<u32>,
    /// The code of each function, without its end. Each has one local, a 32-bit number.
    pub functions: Vec<Vec<u8>>,
    /// Whether the first function runs when the module is instantiated.
    pub starts: bool,
}

/// A component's section that is a core module, and one that is core instances.
const MODULE: u8 = 1;
const INSTANCES: u8 = 2;

/// `component` with `instances` instances of `module`; without any, it is only compiled.
///
/// # Panics
/// When the bytes are no component.
pub fn graft(component: &[u8], module: &CoreModule, instances: usize) -> Vec<u8> {
    let index = sections(component)
        .filter(|section| *section == MODULE)
        .count();
    let mut grafted = component.to_vec();
    section(&mut grafted, MODULE, &module.bytes());
    if instances > 0 {
        let mut content = Vec::new();
        number(&mut content, instances);
        for _ in 0..instances {
            // Of a module, without anything to import.
            content.push(0);
            number(&mut content, index);
            content.push(0);
        }
        section(&mut grafted, INSTANCES, &content);
    }
    grafted
}

/// A component within a component, and so on: `depth` of them.
pub fn nested(depth: usize) -> Vec<u8> {
    const HEADER: [u8; 8] = *b"\0asm\x0d\0\x01\0";
    const COMPONENT: u8 = 4;
    (0..depth).fold(HEADER.to_vec(), |inner, _| {
        let mut outer = HEADER.to_vec();
        section(&mut outer, COMPONENT, &inner);
        outer
    })
}

impl CoreModule {
    fn bytes(&self) -> Vec<u8> {
        const FUNCREF: u8 = 0x70;
        const I32: u8 = 0x7f;
        const END: u8 = 0x0b;
        let mut bytes = b"\0asm\x01\0\0\0".to_vec();
        // One type, of a function from nothing to nothing.
        section(&mut bytes, 1, &[1, 0x60, 0, 0]);
        vector(&mut bytes, 3, &self.functions, |content, _| content.push(0));
        vector(&mut bytes, 4, &self.tables, |content, elements| {
            content.extend([FUNCREF, 0]);
            number(content, *elements as usize);
        });
        vector(&mut bytes, 5, &self.memories, |content, pages| {
            content.push(0);
            number(content, *pages as usize);
        });
        if self.starts {
            section(&mut bytes, 8, &[0]);
        }
        vector(&mut bytes, 10, &self.functions, |content, code| {
            let mut body = vec![1, 1, I32];
            body.extend(code);
            body.push(END);
            number(content, body.len());
            content.extend(body);
        });
        bytes
    }
}

/// The kinds of a component's sections, in order.
fn sections(component: &[u8]) -> impl Iterator<Item = u8> {
    let mut rest = component.get(8..).expect("a component has a header");
    std::iter::from_fn(move || {
        let (kind, tail) = rest.split_first()?;
        let (mut length, mut shift, mut tail) = (0, 0, tail);
        loop {
            let (byte, after) = tail.split_first().expect("a section has a length");
            length |= usize::from(byte & 0x7f) << shift;
            shift += 7;
            tail = after;
            if byte & 0x80 == 0 {
                break;
            }
        }
        rest = tail.get(length..).expect("a section is whole");
        Some(*kind)
    })
}

fn section(bytes: &mut Vec<u8>, kind: u8, content: &[u8]) {
    bytes.push(kind);
    number(bytes, content.len());
    bytes.extend(content);
}

/// A section that is a list, unless that is empty.
fn vector<T>(bytes: &mut Vec<u8>, kind: u8, list: &[T], write: impl Fn(&mut Vec<u8>, &T)) {
    if list.is_empty() {
        return;
    }
    let mut content = Vec::new();
    number(&mut content, list.len());
    for element in list {
        write(&mut content, element);
    }
    section(bytes, kind, &content);
}

/// As LEB128.
fn number(bytes: &mut Vec<u8>, mut value: usize) {
    while value > 0x7f {
        bytes.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}
