;; Does: is a component, not a core module: it wraps one and lifts its function to `answer: func() -> u32`.
;; Must: loading is refused with a message that calls it a component and names what does run it.
(component
  (core module $core
    (func (export "answer") (result i32) (i32.const 42)))
  (core instance $instance (instantiate $core))
  (func (export "answer") (result u32)
    (canon lift (core func $instance "answer"))))
