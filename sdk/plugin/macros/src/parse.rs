//! From the tokens of an impl block to a [`PluginImpl`], or to an error that points at what cannot be.

use proc_macro2::TokenStream;
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{
    Attribute, Error, FnArg, GenericArgument, Ident, ImplItem, ImplItemFn, ItemImpl, Pat, PathArguments,
    Receiver, Result, ReturnType, Signature, Type, Visibility,
};

use crate::model::{Content, Function, Method, Parameter, PluginImpl};

/// Reads `#[plugin(arguments)] item`.
pub(crate) fn plugin_impl(arguments: TokenStream, item: TokenStream) -> Result<PluginImpl> {
    let schemas = match arguments.to_string().as_str() {
        "" => false,
        "schemas" => true,
        _ => {
            let message = "#[plugin] takes no arguments but `schemas`";
            return Err(Error::new_spanned(arguments, message));
        }
    };
    let span = item.span();
    let mut block: ItemImpl = syn::parse2(item).map_err(|cause| {
        let mut error =
            Error::new(span, "#[plugin] stands on an impl block: `#[plugin] impl MyPlugin { .. }`");
        error.combine(cause);
        error
    })?;
    refuse_shape(&block)?;
    let type_name = type_name(&block.self_ty)?;

    let mut found = Functions::default();
    for item in &mut block.items {
        if let ImplItem::Fn(function) = item {
            found.take(function)?;
        }
    }
    if found.methods.is_empty() && found.event.is_none() {
        let message = "this plugin has no method: give it at least one `pub fn` with `&self` or `&mut self`";
        return Err(Error::new_spanned(&block.self_ty, message));
    }
    let Functions { init, event, methods } = found;
    Ok(PluginImpl { type_name, init, event, schemas, methods, block })
}

/// Trait impls and generic types have no single set of methods to export.
fn refuse_shape(block: &ItemImpl) -> Result<()> {
    if let Some((_, path, _)) = &block.trait_ {
        let message = "#[plugin] stands on the type's own impl block, not on the impl of a trait";
        return Err(Error::new_spanned(path, message));
    }
    if !block.generics.params.is_empty() {
        let message = "a plugin is one concrete type: its impl block cannot be generic";
        return Err(Error::new_spanned(&block.generics, message));
    }
    Ok(())
}

fn type_name(ty: &Type) -> Result<String> {
    let segment = match ty {
        Type::Path(path) => path.path.segments.last(),
        _ => None,
    };
    let named = segment.map(|segment| segment.ident.unraw().to_string());
    named.ok_or_else(|| {
        Error::new_spanned(ty, "a plugin is a struct or enum of this crate, named by its path")
    })
}

/// The functions met so far.
#[derive(Default)]
struct Functions {
    init: Option<Function>,
    event: Option<Ident>,
    methods: Vec<Method>,
}

impl Functions {
    /// Sorts one function in, taking our marker attributes off it.
    fn take(&mut self, item: &mut ImplItemFn) -> Result<()> {
        let raw = take_marker(&mut item.attrs, "raw")?;
        let event = take_marker(&mut item.attrs, "event")?;
        let is_init = item.sig.ident == "init" && item.sig.receiver().is_none();
        let is_method = raw || (item.sig.receiver().is_some() && matches!(item.vis, Visibility::Public(_)));
        if is_init && !raw && !event {
            refuse_second(self.init.is_some(), &item.sig, "init")?;
            let function = function(&item.sig, &item.attrs)?;
            refuse_cfg(&function, "init")?;
            self.init = Some(function);
        } else if event {
            refuse_second(self.event.is_some(), &item.sig, "#[event] function")?;
            self.event = Some(event_function(&item.sig, &item.attrs, raw)?);
        } else if is_method {
            self.methods.push(method(&item.sig, &item.attrs, raw)?);
        }
        Ok(())
    }
}

fn refuse_second(there_is_one: bool, signature: &Signature, what: &str) -> Result<()> {
    if there_is_one {
        return Err(Error::new_spanned(&signature.ident, format!("a plugin has one {what}")));
    }
    Ok(())
}

/// Whether these functions exist decides what else is generated, which happens before `#[cfg]` is looked at.
fn refuse_cfg(function: &Function, what: &str) -> Result<()> {
    let message = format!("{what} cannot stand under #[cfg]; put the #[cfg] inside it");
    function.cfgs.first().map_or(Ok(()), |cfg| Err(Error::new_spanned(cfg, message)))
}

fn event_function(signature: &Signature, attributes: &[Attribute], raw: bool) -> Result<Ident> {
    let function = function(signature, attributes)?;
    require_receiver(signature)?;
    if raw {
        return Err(Error::new_spanned(&signature.ident, "a function is #[raw] or #[event], not both"));
    }
    refuse_cfg(&function, "the #[event] function")?;
    if function.parameters.len() != 1 {
        let message = "an #[event] function takes one argument: `event: casemate_plugin::Event<'_>`";
        return Err(Error::new_spanned(&signature.inputs, message));
    }
    Ok(function.ident)
}

fn method(signature: &Signature, attributes: &[Attribute], raw: bool) -> Result<Method> {
    let function = function(signature, attributes)?;
    require_receiver(signature)?;
    let content = if raw { Content::Raw } else { Content::Json };
    if raw && function.parameters.len() > 1 {
        let message = "a #[raw] method takes the body and nothing else: one argument of `&[u8]` or `Vec<u8>`";
        return Err(Error::new_spanned(&signature.inputs, message));
    }
    Ok(Method { function, content })
}

/// What holds for every function that is called for the host.
fn function(signature: &Signature, attributes: &[Attribute]) -> Result<Function> {
    if let Some(keyword) = &signature.asyncness {
        return Err(Error::new_spanned(keyword, "a plugin's method runs to its end: it cannot be async"));
    }
    if let Some(keyword) = &signature.unsafety {
        return Err(Error::new_spanned(
            keyword,
            "a method that the host calls with any input cannot be unsafe",
        ));
    }
    let has_type_parameter = signature
        .generics
        .params
        .iter()
        .any(|parameter| !matches!(parameter, syn::GenericParam::Lifetime(_)));
    if has_type_parameter {
        let message = "a method that the host calls by name has concrete types: it cannot be generic";
        return Err(Error::new_spanned(&signature.generics, message));
    }
    let cfgs = attributes.iter().filter(|attribute| attribute.path().is_ident("cfg")).cloned().collect();
    let answer = match &signature.output {
        ReturnType::Type(_, ty) => ty.span(),
        ReturnType::Default => signature.ident.span(),
    };
    let output = match &signature.output {
        ReturnType::Type(_, ty) => Some(value_of(ty)),
        ReturnType::Default => None,
    };
    Ok(Function { ident: signature.ident.clone(), cfgs, parameters: parameters(signature)?, answer, output })
}

/// What a `Result` holds when all is well; any other type is itself.
fn value_of(ty: &Type) -> Type {
    let segment = match ty {
        Type::Path(path) => path.path.segments.last(),
        _ => None,
    };
    let Some(PathArguments::AngleBracketed(arguments)) =
        segment.filter(|segment| segment.ident == "Result").map(|segment| &segment.arguments)
    else {
        return ty.clone();
    };
    let first = arguments.args.iter().find_map(|argument| match argument {
        GenericArgument::Type(ty) => Some(ty.clone()),
        _ => None,
    });
    first.unwrap_or_else(|| ty.clone())
}

fn parameters(signature: &Signature) -> Result<Vec<Parameter>> {
    let typed = signature.inputs.iter().filter_map(|input| match input {
        FnArg::Typed(parameter) => Some(parameter),
        FnArg::Receiver(_) => None,
    });
    let several = typed.clone().count() > 1;
    typed
        .map(|parameter| {
            if let Type::ImplTrait(ty) = &*parameter.ty {
                return Err(Error::new_spanned(ty, "an argument that comes from JSON needs a concrete type"));
            }
            let name = match &*parameter.pat {
                Pat::Ident(pattern) => Some(pattern.ident.unraw().to_string()),
                _ => None,
            };
            if several && name.is_none() {
                let message =
                    "with several arguments each one is a member of a JSON object, so each needs a name";
                return Err(Error::new_spanned(&parameter.pat, message));
            }
            Ok(Parameter { name, ty: (*parameter.ty).clone() })
        })
        .collect()
}

fn require_receiver(signature: &Signature) -> Result<()> {
    let receiver: Option<&Receiver> = signature.receiver();
    if receiver.is_some_and(|receiver| receiver.reference.is_some()) {
        return Ok(());
    }
    let message = "a method of a plugin takes `&self` or `&mut self`: the plugin stays for the next call";
    Err(Error::new_spanned(&signature.ident, message))
}

/// Whether the marker is there; it is gone afterwards, for the compiler does not know it.
fn take_marker(attributes: &mut Vec<Attribute>, name: &str) -> Result<bool> {
    let Some(at) = attributes.iter().position(|attribute| attribute.path().is_ident(name)) else {
        return Ok(false);
    };
    let marker = attributes.remove(at);
    marker.meta.require_path_only()?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<PluginImpl> {
        plugin_impl(TokenStream::new(), text.parse().unwrap())
    }

    fn message(text: &str) -> String {
        parse(text).err().unwrap().to_string()
    }

    #[test]
    fn public_functions_with_self_are_the_methods() {
        let plugin = parse(
            "impl Mine {
                fn init(config: Config) -> Self { todo!() }
                pub fn new() -> Self { todo!() }
                pub fn one(&self, input: Input) {}
                pub(crate) fn internal(&self) {}
                fn helper(&self) {}
                #[raw] fn echo(&mut self, body: &[u8]) -> Vec<u8> { todo!() }
                pub fn r#type(&self, a: u8, mut b: u8) {}
            }",
        )
        .unwrap();
        assert_eq!(plugin.type_name, "Mine");
        assert_eq!(plugin.init.unwrap().parameters.len(), 1);
        let methods: Vec<_> = plugin
            .methods
            .iter()
            .map(|method| (method.function.ident.unraw().to_string(), method.content))
            .collect();
        assert_eq!(
            methods,
            [
                ("one".to_owned(), Content::Json),
                ("echo".to_owned(), Content::Raw),
                ("type".to_owned(), Content::Json)
            ]
        );
        let names: Vec<_> = plugin.methods[2]
            .function
            .parameters
            .iter()
            .map(|parameter| parameter.name.clone().unwrap())
            .collect();
        assert_eq!(names, ["a", "b"]);
    }

    #[test]
    fn markers_do_not_reach_the_compiler() {
        let plugin =
            parse("impl A { #[raw] fn a(&self) {} #[event] fn e(&self, event: Event<'_>) {} }").unwrap();
        assert!(plugin.event.is_some());
        for item in &plugin.block.items {
            if let ImplItem::Fn(function) = item {
                assert!(function.attrs.is_empty());
            }
        }
    }

    #[test]
    fn each_mistake_has_its_own_message() {
        let mistakes = [
            ("struct A;", "#[plugin] stands on an impl block"),
            ("impl Default for A { fn default() -> A { A } }", "not on the impl of a trait"),
            ("impl<T> A<T> { pub fn a(&self) {} }", "cannot be generic"),
            ("impl A { fn a(&self) {} }", "has no method"),
            ("impl A { pub fn a(self) {} }", "takes `&self` or `&mut self`"),
            ("impl A { #[raw] fn a(body: &[u8]) {} }", "takes `&self` or `&mut self`"),
            ("impl A { pub async fn a(&self) {} }", "cannot be async"),
            ("impl A { pub unsafe fn a(&self) {} }", "cannot be unsafe"),
            ("impl A { pub fn a<T>(&self, t: T) {} }", "cannot be generic"),
            ("impl A { pub fn a(&self, t: impl Copy) {} }", "needs a concrete type"),
            ("impl A { pub fn a(&self, (b, c): (u8, u8), d: u8) {} }", "each needs a name"),
            ("impl A { #[raw] fn a(&self, b: &[u8], c: u8) {} }", "takes the body and nothing else"),
            ("impl A { #[raw(x)] fn a(&self) {} }", "unexpected token in attribute"),
            ("impl A { #[raw] #[event] fn a(&self, e: Event<'_>) {} }", "not both"),
            ("impl A { #[event] fn a(&self) {} }", "takes one argument"),
            (
                "impl A { #[event] fn a(&self, e: E) {} #[event] fn b(&self, e: E) {} }",
                "has one #[event] function",
            ),
            ("impl (A, B) { pub fn a(&self) {} }", "named by its path"),
        ];
        for (text, expected) in mistakes {
            let message = message(text);
            assert!(message.contains(expected), "{text}\n  said: {message}\n  not:  {expected}");
        }
    }

    #[test]
    fn the_attribute_takes_no_arguments_but_one() {
        let item: TokenStream = "impl A { pub fn a(&self) {} }".parse().unwrap();
        assert!(plugin_impl("schemas".parse().unwrap(), item.clone()).unwrap().schemas);
        let error = plugin_impl("name = \"x\"".parse().unwrap(), item).err().unwrap();
        assert_eq!(error.to_string(), "#[plugin] takes no arguments but `schemas`");
    }
}
