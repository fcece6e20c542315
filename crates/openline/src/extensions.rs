//! Which extensions a client offers and a server accepts.

use std::sync::Arc;

use openline_proto::extension::Extension;
use openline_proto::extension::deflate::{NAME, PerMessageDeflate};

/// The extensions of a client or a server, in order of preference: those that were added, and
/// compression last unless it is among them.
#[derive(Clone, Debug)]
pub(crate) struct Extensions {
    pub(crate) added: Vec<Arc<dyn Extension>>,
    pub(crate) compression: Option<PerMessageDeflate>,
}

impl Extensions {
    pub(crate) fn new(compression: PerMessageDeflate) -> Extensions {
        Extensions { added: Vec::new(), compression: Some(compression) }
    }

    pub(crate) fn list(&self) -> Vec<Arc<dyn Extension>> {
        let mut list = self.added.clone();
        if let Some(compression) = &self.compression
            && !list.iter().any(|extension| extension.name() == NAME)
        {
            list.push(Arc::new(compression.clone()));
        }
        list
    }
}
