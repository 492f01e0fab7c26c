;; Does: casemate_alloc answers 0: it has no memory to give.
;; Must: the call ends as the guest's fault, out of memory of its own making; nothing is written to address 0.
(module
  (memory (export "memory") 1)
  (func (export "casemate_abi") (result i32) (i32.const 1))
  (func (export "casemate_alloc") (param $size i32) (param $align i32) (result i32)
    (i32.const 0))
  (func (export "casemate_free") (param $block i32) (param $size i32) (param $align i32))
  ;; status 0, content type 1, JSON
  (data (i32.const 16) "\00\01true")
  (func (export "casemate_call") (param $ptr i32) (param $len i32) (result i64)
    (i64.const 0x0000000600000010)))
