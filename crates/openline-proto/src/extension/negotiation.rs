//! Which extensions are used (RFC 6455 §9.1): offers, answers, and what the client makes of those.

use std::sync::Arc;

use super::deflate::NAME;
use super::{Agreed, Extension};
use crate::handshake::{ExtensionParams, HandshakeError};

/// What a client offers, in its order of preference.
///
/// ```
/// use std::sync::Arc;
/// use openline_proto::extension::deflate::PerMessageDeflate;
/// use openline_proto::extension::offers;
/// let offers = offers(&[Arc::new(PerMessageDeflate::client())]);
/// assert_eq!(offers[0].to_string(), "permessage-deflate; client_max_window_bits");
/// ```
pub fn offers(extensions: &[Arc<dyn Extension>]) -> Vec<ExtensionParams> {
    let offer = |extension: &Arc<dyn Extension>| ExtensionParams {
        name: extension.name().to_owned(),
        params: extension.offer(),
    };
    extensions.iter().map(offer).collect()
}

/// What a client makes of a server's answers: the extensions in use, in their order.
///
/// # Errors
///
/// An extension that was not offered, permessage-deflate twice, and what the extensions do not accept.
///
/// ```
/// use std::sync::Arc;
/// use openline_proto::extension::accept;
/// use openline_proto::extension::deflate::PerMessageDeflate;
/// use openline_proto::handshake::parse_extensions;
/// # fn main() -> Result<(), openline_proto::handshake::HandshakeError> {
/// let answers = parse_extensions("permessage-deflate; server_max_window_bits=10")?;
/// assert_eq!(accept(&[Arc::new(PerMessageDeflate::client())], &answers)?.len(), 1);
/// assert!(accept(&[], &answers).is_err());
/// # Ok(()) }
/// ```
pub fn accept(
    offered: &[Arc<dyn Extension>],
    answers: &[ExtensionParams],
) -> Result<Vec<Agreed>, HandshakeError> {
    let mut agreed: Vec<Agreed> = Vec::new();
    for params in answers {
        if may_not_repeat(offered, &agreed, &params.name) {
            let text = format!("received duplicate {}", params.name);
            return Err(HandshakeError::NegotiationError(text));
        }
        // Of several offers of one extension the answer may be to any (RFC 7692 §5).
        let mut outcome = None;
        for extension in named(offered, &params.name) {
            match extension.accept(&params.params) {
                Ok(coding) => outcome = Some(Ok(coding)),
                Err(error) => outcome = outcome.or(Some(Err(error))),
            }
            if matches!(outcome, Some(Ok(_))) {
                break;
            }
        }
        let Some(outcome) = outcome else {
            let text = format!("Unsupported extension: {params}");
            return Err(HandshakeError::NegotiationError(text));
        };
        agreed.push(Agreed { params: params.clone(), coding: outcome? });
    }
    Ok(agreed)
}

/// What a server makes of a client's offers: the extensions in use, with the parameters to answer.
/// Offers that it does not know or cannot meet are declined.
///
/// ```
/// use std::sync::Arc;
/// use openline_proto::extension::answer;
/// use openline_proto::extension::deflate::PerMessageDeflate;
/// use openline_proto::handshake::parse_extensions;
/// # fn main() -> Result<(), openline_proto::handshake::HandshakeError> {
/// // Of two offers of one extension, the first that can be met counts (RFC 7692 §5).
/// let offers = parse_extensions("permessage-deflate; x=1, permessage-deflate")?;
/// let agreed = answer(&[Arc::new(PerMessageDeflate::server())], &offers);
/// assert_eq!(agreed[0].params.to_string(), "permessage-deflate; server_max_window_bits=12");
/// # Ok(()) }
/// ```
pub fn answer(supported: &[Arc<dyn Extension>], offers: &[ExtensionParams]) -> Vec<Agreed> {
    let mut agreed: Vec<Agreed> = Vec::new();
    for ExtensionParams { name, params } in offers {
        if may_not_repeat(supported, &agreed, name) {
            continue;
        }
        let answer = named(supported, name).find_map(|extension| extension.answer(params).ok());
        if let Some((params, coding)) = answer {
            let params = ExtensionParams { name: name.clone(), params };
            agreed.push(Agreed { params, coding });
        }
    }
    agreed
}

fn named<'a>(
    ours: &'a [Arc<dyn Extension>],
    name: &'a str,
) -> impl Iterator<Item = &'a Arc<dyn Extension>> {
    ours.iter().filter(move |extension| extension.name() == name)
}

/// Whether all of our extensions of a name are in use: the peer may not have more of them, and two
/// compressors would both claim RSV1.
fn may_not_repeat(ours: &[Arc<dyn Extension>], agreed: &[Agreed], name: &str) -> bool {
    let in_use = agreed.iter().filter(|agreed| agreed.params.name == name).count();
    let most = if name == NAME { 1 } else { named(ours, name).count() };
    in_use > 0 && in_use >= most
}
