export type Json = string | number | boolean | null | { [key: string]: Json | undefined } | Json[];

export type Database = {
  "public": {
    Tables: {
      "action_prices": {
        Row: {
          "action_id": string;
          "credits": number;
          "done_message": string;
          "id": number;
          "minimum_credits": number;
          "per_quantity": number;
          "unit": string;
          "valid_from": string;
          "valid_until": string;
        };
        ComputedFields: never;
        Insert: {
          "action_id": string;
          "credits": number;
          "done_message": string;
          "id"?: number;
          "minimum_credits"?: number;
          "per_quantity"?: number;
          "unit": string;
          "valid_from"?: string;
          "valid_until"?: string;
        };
        Update: {
          "action_id"?: string;
          "credits"?: number;
          "done_message"?: string;
          "id"?: number;
          "minimum_credits"?: number;
          "per_quantity"?: number;
          "unit"?: string;
          "valid_from"?: string;
          "valid_until"?: string;
        };
        Relationships: [];
      };
      "adjustments": {
        Row: {
          "changed_at": string | null;
          "created_at": string;
          "credits": number;
          "credits_forgiven": number;
          "credits_owed": number;
          "reference_id": string;
          "user_id": string;
        };
        ComputedFields: never;
        Insert: {
          "changed_at"?: string | null;
          "created_at"?: string;
          "credits": number;
          "credits_forgiven"?: number;
          "credits_owed"?: number;
          "reference_id": string;
          "user_id": string;
        };
        Update: {
          "changed_at"?: string | null;
          "created_at"?: string;
          "credits"?: number;
          "credits_forgiven"?: number;
          "credits_owed"?: number;
          "reference_id"?: string;
          "user_id"?: string;
        };
        Relationships: [
          {
            foreignKeyName: "adjustments_user_id_fkey";
            columns: ["user_id"];
            isOneToOne: false;
            referencedRelation: "users";
            referencedColumns: ["id"];
          },
        ];
      };
      "book_checks": {
        Row: {
          "before": string | null;
          "checked_at": string;
          "complete_until": string;
          "id": number;
          "is_whole": boolean;
          "since": string | null;
          "violation_count": number;
        };
        ComputedFields: never;
        Insert: {
          "before"?: string | null;
          "checked_at"?: string;
          "complete_until": string;
          "id"?: never;
          "is_whole": boolean;
          "since"?: string | null;
          "violation_count": number;
        };
        Update: {
          "before"?: string | null;
          "checked_at"?: string;
          "complete_until"?: string;
          "id"?: never;
          "is_whole"?: boolean;
          "since"?: string | null;
          "violation_count"?: number;
        };
        Relationships: [];
      };
      "book_violations": {
        Row: {
          "checked_at": string;
          "detail": string;
          "found_at": string;
          "gone_at": string | null;
          "id": number;
          "invariant": string;
          "order_id": string | null;
          "subject": string;
          "user_id": string | null;
        };
        ComputedFields: never;
        Insert: {
          "checked_at"?: string;
          "detail": string;
          "found_at"?: string;
          "gone_at"?: string | null;
          "id"?: never;
          "invariant": string;
          "order_id"?: string | null;
          "subject": string;
          "user_id"?: string | null;
        };
        Update: {
          "checked_at"?: string;
          "detail"?: string;
          "found_at"?: string;
          "gone_at"?: string | null;
          "id"?: never;
          "invariant"?: string;
          "order_id"?: string | null;
          "subject"?: string;
          "user_id"?: string | null;
        };
        Relationships: [];
      };
      "credit_transactions": {
        Row: {
          "action": string;
          "balance_after": number;
          "created_at": string;
          "credits": number;
          "id": string;
          "price_id": number | null;
          "quantity": number | null;
          "reference_id": string | null;
          "remaining_after": number | null;
          "sequence_number": number;
          "source": string;
          "user_id": string;
        };
        ComputedFields: never;
        Insert: {
          "action": string;
          "balance_after": number;
          "created_at"?: string;
          "credits": number;
          "id"?: string;
          "price_id"?: number | null;
          "quantity"?: number | null;
          "reference_id"?: string | null;
          "remaining_after"?: number | null;
          "sequence_number": number;
          "source": string;
          "user_id": string;
        };
        Update: {
          "action"?: string;
          "balance_after"?: number;
          "created_at"?: string;
          "credits"?: number;
          "id"?: string;
          "price_id"?: number | null;
          "quantity"?: number | null;
          "reference_id"?: string | null;
          "remaining_after"?: number | null;
          "sequence_number"?: number;
          "source"?: string;
          "user_id"?: string;
        };
        Relationships: [
          {
            foreignKeyName: "credit_transactions_user_id_fkey";
            columns: ["user_id"];
            isOneToOne: false;
            referencedRelation: "users";
            referencedColumns: ["id"];
          },
        ];
      };
      "erased_identities": {
        Row: {
          "hash": string;
        };
        ComputedFields: never;
        Insert: {
          "hash": string;
        };
        Update: {
          "hash"?: string;
        };
        Relationships: [];
      };
      "event_addresses": {
        Row: {
          "created_at": string;
          "failing_since": string | null;
          "failures": number;
          "give_up_not_before": string | null;
          "id": number;
          "last_failure": string | null;
          "named_at": string;
          "next_probe_at": string | null;
          "not_before": string | null;
          "paused_at": string | null;
          "removed_at": string | null;
          "url": string;
        };
        ComputedFields: never;
        Insert: {
          "created_at"?: string;
          "failing_since"?: string | null;
          "failures"?: number;
          "give_up_not_before"?: string | null;
          "id"?: never;
          "last_failure"?: string | null;
          "named_at"?: string;
          "next_probe_at"?: string | null;
          "not_before"?: string | null;
          "paused_at"?: string | null;
          "removed_at"?: string | null;
          "url": string;
        };
        Update: {
          "created_at"?: string;
          "failing_since"?: string | null;
          "failures"?: number;
          "give_up_not_before"?: string | null;
          "id"?: never;
          "last_failure"?: string | null;
          "named_at"?: string;
          "next_probe_at"?: string | null;
          "not_before"?: string | null;
          "paused_at"?: string | null;
          "removed_at"?: string | null;
          "url"?: string;
        };
        Relationships: [];
      };
      "event_deliveries": {
        Row: {
          "address_id": number;
          "attempts": number;
          "created_at": string;
          "event_id": string;
          "finished_at": string | null;
          "give_up_at": string;
          "last_attempt_at": string | null;
          "last_error": string | null;
          "last_status": number | null;
          "lease_token": string | null;
          "next_attempt_at": string | null;
          "state": string;
        };
        ComputedFields: never;
        Insert: {
          "address_id": number;
          "attempts"?: number;
          "created_at"?: string;
          "event_id": string;
          "finished_at"?: string | null;
          "give_up_at"?: string;
          "last_attempt_at"?: string | null;
          "last_error"?: string | null;
          "last_status"?: number | null;
          "lease_token"?: string | null;
          "next_attempt_at"?: string | null;
          "state"?: string;
        };
        Update: {
          "address_id"?: number;
          "attempts"?: number;
          "created_at"?: string;
          "event_id"?: string;
          "finished_at"?: string | null;
          "give_up_at"?: string;
          "last_attempt_at"?: string | null;
          "last_error"?: string | null;
          "last_status"?: number | null;
          "lease_token"?: string | null;
          "next_attempt_at"?: string | null;
          "state"?: string;
        };
        Relationships: [
          {
            foreignKeyName: "event_deliveries_address_id_fkey";
            columns: ["address_id"];
            isOneToOne: false;
            referencedRelation: "event_addresses";
            referencedColumns: ["id"];
          },
          {
            foreignKeyName: "event_deliveries_event_id_fkey";
            columns: ["event_id"];
            isOneToOne: false;
            referencedRelation: "events";
            referencedColumns: ["id"];
          },
        ];
      };
      "events": {
        Row: {
          "created_at": string;
          "credits": number | null;
          "data": NonNullable<Json>;
          "handed_out_at": string | null;
          "id": string;
          "order_id": string | null;
          "remaining_credits": number | null;
          "sequence_number": number | null;
          "state": string;
          "type": string;
          "user_id": string | null;
        };
        ComputedFields: never;
        Insert: {
          "created_at"?: string;
          "credits"?: number | null;
          "data": NonNullable<Json>;
          "handed_out_at"?: string | null;
          "id"?: string;
          "order_id"?: string | null;
          "remaining_credits"?: number | null;
          "sequence_number"?: number | null;
          "state"?: string;
          "type": string;
          "user_id"?: string | null;
        };
        Update: {
          "created_at"?: string;
          "credits"?: number | null;
          "data"?: NonNullable<Json>;
          "handed_out_at"?: string | null;
          "id"?: string;
          "order_id"?: string | null;
          "remaining_credits"?: number | null;
          "sequence_number"?: number | null;
          "state"?: string;
          "type"?: string;
          "user_id"?: string | null;
        };
        Relationships: [
          {
            foreignKeyName: "events_order_id_fkey";
            columns: ["order_id"];
            isOneToOne: false;
            referencedRelation: "payment_orders";
            referencedColumns: ["id"];
          },
          {
            foreignKeyName: "events_user_id_fkey";
            columns: ["user_id"];
            isOneToOne: false;
            referencedRelation: "users";
            referencedColumns: ["id"];
          },
        ];
      };
      "holds": {
        Row: {
          "action_id": string;
          "balance_after_end": number | null;
          "captured_credits": number | null;
          "created_at": string;
          "credits": number;
          "ended_at": string | null;
          "expires_at": string;
          "price_id": number;
          "quantity": number | null;
          "reference_id": string;
          "remaining_after": number;
          "remaining_after_end": number | null;
          "state": Database["public"]["Enums"]["hold_state"];
          "user_id": string;
        };
        ComputedFields: never;
        Insert: {
          "action_id": string;
          "balance_after_end"?: number | null;
          "captured_credits"?: number | null;
          "created_at"?: string;
          "credits": number;
          "ended_at"?: string | null;
          "expires_at": string;
          "price_id": number;
          "quantity"?: number | null;
          "reference_id": string;
          "remaining_after": number;
          "remaining_after_end"?: number | null;
          "state"?: Database["public"]["Enums"]["hold_state"];
          "user_id": string;
        };
        Update: {
          "action_id"?: string;
          "balance_after_end"?: number | null;
          "captured_credits"?: number | null;
          "created_at"?: string;
          "credits"?: number;
          "ended_at"?: string | null;
          "expires_at"?: string;
          "price_id"?: number;
          "quantity"?: number | null;
          "reference_id"?: string;
          "remaining_after"?: number;
          "remaining_after_end"?: number | null;
          "state"?: Database["public"]["Enums"]["hold_state"];
          "user_id"?: string;
        };
        Relationships: [];
      };
      "identities": {
        Row: {
          "created_at": string;
          "kind": string;
          "user_id": string;
          "value": string;
        };
        ComputedFields: never;
        Insert: {
          "created_at"?: string;
          "kind": string;
          "user_id": string;
          "value": string;
        };
        Update: {
          "created_at"?: string;
          "kind"?: string;
          "user_id"?: string;
          "value"?: string;
        };
        Relationships: [
          {
            foreignKeyName: "identities_user_id_fkey";
            columns: ["user_id"];
            isOneToOne: false;
            referencedRelation: "users";
            referencedColumns: ["id"];
          },
        ];
      };
      "operator_actions": {
        Row: {
          "action": string;
          "after": Json | null;
          "before": Json | null;
          "completes": number | null;
          "created_at": string;
          "id": number;
          "operator": string;
          "operator_id": string | null;
          "order_id": string | null;
          "outcome": string;
          "payment_id": string | null;
          "reason": string;
          "reference_id": string | null;
          "request": Json | null;
          "result": Json | null;
          "user_id": string | null;
        };
        ComputedFields: never;
        Insert: {
          "action"?: string;
          "after"?: Json | null;
          "before"?: Json | null;
          "completes"?: number | null;
          "created_at"?: string;
          "id"?: never;
          "operator": string;
          "operator_id"?: string | null;
          "order_id"?: string | null;
          "outcome": string;
          "payment_id"?: string | null;
          "reason": string;
          "reference_id"?: string | null;
          "request"?: Json | null;
          "result"?: Json | null;
          "user_id"?: string | null;
        };
        Update: {
          "action"?: string;
          "after"?: Json | null;
          "before"?: Json | null;
          "completes"?: number | null;
          "created_at"?: string;
          "id"?: never;
          "operator"?: string;
          "operator_id"?: string | null;
          "order_id"?: string | null;
          "outcome"?: string;
          "payment_id"?: string | null;
          "reason"?: string;
          "reference_id"?: string | null;
          "request"?: Json | null;
          "result"?: Json | null;
          "user_id"?: string | null;
        };
        Relationships: [
          {
            foreignKeyName: "operator_actions_completes_fkey";
            columns: ["completes"];
            isOneToOne: false;
            referencedRelation: "operator_actions";
            referencedColumns: ["id"];
          },
          {
            foreignKeyName: "operator_actions_operator_id_fkey";
            columns: ["operator_id"];
            isOneToOne: false;
            referencedRelation: "operators";
            referencedColumns: ["user_id"];
          },
          {
            foreignKeyName: "operator_actions_order_id_fkey";
            columns: ["order_id"];
            isOneToOne: false;
            referencedRelation: "payment_orders";
            referencedColumns: ["id"];
          },
          {
            foreignKeyName: "operator_actions_payment_id_fkey";
            columns: ["payment_id"];
            isOneToOne: false;
            referencedRelation: "payments";
            referencedColumns: ["id"];
          },
          {
            foreignKeyName: "operator_actions_user_id_fkey";
            columns: ["user_id"];
            isOneToOne: false;
            referencedRelation: "users";
            referencedColumns: ["id"];
          },
        ];
      };
      "operators": {
        Row: {
          "created_at": string;
          "disabled_at": string | null;
          "email": string;
          "name": string;
          "role": string;
          "user_id": string;
        };
        ComputedFields: never;
        Insert: {
          "created_at"?: string;
          "disabled_at"?: string | null;
          "email": string;
          "name": string;
          "role": string;
          "user_id": string;
        };
        Update: {
          "created_at"?: string;
          "disabled_at"?: string | null;
          "email"?: string;
          "name"?: string;
          "role"?: string;
          "user_id"?: string;
        };
        Relationships: [];
      };
      "order_references": {
        Row: {
          "created_at": string;
          "order_id": string;
          "reference_id": string;
          "user_id": string;
        };
        ComputedFields: never;
        Insert: {
          "created_at"?: string;
          "order_id": string;
          "reference_id": string;
          "user_id": string;
        };
        Update: {
          "created_at"?: string;
          "order_id"?: string;
          "reference_id"?: string;
          "user_id"?: string;
        };
        Relationships: [
          {
            foreignKeyName: "order_references_order_id_fkey";
            columns: ["order_id"];
            isOneToOne: false;
            referencedRelation: "payment_orders";
            referencedColumns: ["id"];
          },
          {
            foreignKeyName: "order_references_user_id_fkey";
            columns: ["user_id"];
            isOneToOne: false;
            referencedRelation: "users";
            referencedColumns: ["id"];
          },
        ];
      };
      "packages": {
        Row: {
          "credits": number;
          "id": string;
          "is_active": boolean;
          "name": string;
          "price": number;
        };
        ComputedFields: never;
        Insert: {
          "credits": number;
          "id": string;
          "is_active"?: boolean;
          "name": string;
          "price": number;
        };
        Update: {
          "credits"?: number;
          "id"?: string;
          "is_active"?: boolean;
          "name"?: string;
          "price"?: number;
        };
        Relationships: [];
      };
      "payment_orders": {
        Row: {
          "amount_paise": number;
          "changed_at": string | null;
          "channel": string;
          "checked_at": string | null;
          "created_at": string;
          "credits": number;
          "currency": string;
          "erased_at": string | null;
          "expires_at": string | null;
          "has_reference": boolean;
          "id": string;
          "key_mode": string;
          "next_check_at": string | null;
          "opened_at": string | null;
          "package_id": string;
          "package_name": string;
          "paid_at": string | null;
          "phone_number": string | null;
          "placed_by": string | null;
          "razorpay_order_id": string | null;
          "razorpay_payment_id": string | null;
          "razorpay_payment_link_id": string | null;
          "short_url": string | null;
          "state": string;
          "tried_at": string | null;
          "user_id": string | null;
          "whatsapp_user_id": string | null;
        };
        ComputedFields: never;
        Insert: {
          "amount_paise": number;
          "changed_at"?: string | null;
          "channel": string;
          "checked_at"?: string | null;
          "created_at"?: string;
          "credits": number;
          "currency"?: string;
          "erased_at"?: string | null;
          "expires_at"?: string | null;
          "has_reference"?: boolean;
          "id"?: string;
          "key_mode": string;
          "next_check_at"?: string | null;
          "opened_at"?: string | null;
          "package_id": string;
          "package_name": string;
          "paid_at"?: string | null;
          "phone_number"?: string | null;
          "placed_by"?: string | null;
          "razorpay_order_id"?: string | null;
          "razorpay_payment_id"?: string | null;
          "razorpay_payment_link_id"?: string | null;
          "short_url"?: string | null;
          "state"?: string;
          "tried_at"?: string | null;
          "user_id"?: string | null;
          "whatsapp_user_id"?: string | null;
        };
        Update: {
          "amount_paise"?: number;
          "changed_at"?: string | null;
          "channel"?: string;
          "checked_at"?: string | null;
          "created_at"?: string;
          "credits"?: number;
          "currency"?: string;
          "erased_at"?: string | null;
          "expires_at"?: string | null;
          "has_reference"?: boolean;
          "id"?: string;
          "key_mode"?: string;
          "next_check_at"?: string | null;
          "opened_at"?: string | null;
          "package_id"?: string;
          "package_name"?: string;
          "paid_at"?: string | null;
          "phone_number"?: string | null;
          "placed_by"?: string | null;
          "razorpay_order_id"?: string | null;
          "razorpay_payment_id"?: string | null;
          "razorpay_payment_link_id"?: string | null;
          "short_url"?: string | null;
          "state"?: string;
          "tried_at"?: string | null;
          "user_id"?: string | null;
          "whatsapp_user_id"?: string | null;
        };
        Relationships: [
          {
            foreignKeyName: "a_paid_order_names_a_payment_of_its_own";
            columns: ["razorpay_payment_id", "id"];
            isOneToOne: false;
            referencedRelation: "payments";
            referencedColumns: ["id", "order_id"];
          },
          {
            foreignKeyName: "payment_orders_package_id_fkey";
            columns: ["package_id"];
            isOneToOne: false;
            referencedRelation: "packages";
            referencedColumns: ["id"];
          },
          {
            foreignKeyName: "payment_orders_user_id_fkey";
            columns: ["user_id"];
            isOneToOne: false;
            referencedRelation: "users";
            referencedColumns: ["id"];
          },
        ];
      };
      "payment_reversals": {
        Row: {
          "amount_paise": number;
          "changed_at": string | null;
          "created_at": string;
          "credits_forgiven": number;
          "credits_owed": number;
          "credits_taken": number;
          "id": string;
          "is_money_gone": boolean;
          "kind": string;
          "payment_id": string;
          "reported_at": string;
          "status": string;
        };
        ComputedFields: never;
        Insert: {
          "amount_paise": number;
          "changed_at"?: string | null;
          "created_at"?: string;
          "credits_forgiven"?: number;
          "credits_owed"?: number;
          "credits_taken"?: number;
          "id": string;
          "is_money_gone": boolean;
          "kind": string;
          "payment_id": string;
          "reported_at": string;
          "status": string;
        };
        Update: {
          "amount_paise"?: number;
          "changed_at"?: string | null;
          "created_at"?: string;
          "credits_forgiven"?: number;
          "credits_owed"?: number;
          "credits_taken"?: number;
          "id"?: string;
          "is_money_gone"?: boolean;
          "kind"?: string;
          "payment_id"?: string;
          "reported_at"?: string;
          "status"?: string;
        };
        Relationships: [
          {
            foreignKeyName: "payment_reversals_payment_id_fkey";
            columns: ["payment_id"];
            isOneToOne: false;
            referencedRelation: "payments";
            referencedColumns: ["id"];
          },
        ];
      };
      "payments": {
        Row: {
          "amount_paise": number;
          "balance_after_grant": number | null;
          "changed_at": string | null;
          "created_at": string;
          "credits_granted": number;
          "currency": string;
          "flag": string | null;
          "granted_at": string | null;
          "id": string;
          "order_id": string;
          "remaining_after_grant": number | null;
          "status": string;
        };
        ComputedFields: never;
        Insert: {
          "amount_paise": number;
          "balance_after_grant"?: number | null;
          "changed_at"?: string | null;
          "created_at"?: string;
          "credits_granted"?: number;
          "currency": string;
          "flag"?: string | null;
          "granted_at"?: string | null;
          "id": string;
          "order_id": string;
          "remaining_after_grant"?: number | null;
          "status": string;
        };
        Update: {
          "amount_paise"?: number;
          "balance_after_grant"?: number | null;
          "changed_at"?: string | null;
          "created_at"?: string;
          "credits_granted"?: number;
          "currency"?: string;
          "flag"?: string | null;
          "granted_at"?: string | null;
          "id"?: string;
          "order_id"?: string;
          "remaining_after_grant"?: number | null;
          "status"?: string;
        };
        Relationships: [
          {
            foreignKeyName: "payments_order_id_fkey";
            columns: ["order_id"];
            isOneToOne: false;
            referencedRelation: "payment_orders";
            referencedColumns: ["id"];
          },
        ];
      };
      "rate_counters": {
        Row: {
          "action": string;
          "count": number;
          "scope": string;
          "subject": string;
          "window_ends_at": string;
        };
        ComputedFields: never;
        Insert: {
          "action": string;
          "count": number;
          "scope": string;
          "subject": string;
          "window_ends_at": string;
        };
        Update: {
          "action"?: string;
          "count"?: number;
          "scope"?: string;
          "subject"?: string;
          "window_ends_at"?: string;
        };
        Relationships: [];
      };
      "rate_limits": {
        Row: {
          "action": string;
          "max_count": number;
          "scope": string;
          "window_seconds": number;
        };
        ComputedFields: never;
        Insert: {
          "action": string;
          "max_count": number;
          "scope": string;
          "window_seconds": number;
        };
        Update: {
          "action"?: string;
          "max_count"?: number;
          "scope"?: string;
          "window_seconds"?: number;
        };
        Relationships: [];
      };
      "settings": {
        Row: {
          "name": string;
          "value": number;
        };
        ComputedFields: never;
        Insert: {
          "name": string;
          "value": number;
        };
        Update: {
          "name"?: string;
          "value"?: number;
        };
        Relationships: [];
      };
      "users": {
        Row: {
          "created_at": string;
          "credits": number;
          "debt_credits": number;
          "erased_at": string | null;
          "frozen_at": string | null;
          "has_merged": boolean;
          "held_credits": number;
          "id": string;
          "is_without_welcome": boolean;
          "merged_into": string | null;
          "next_hold_expiry_at": string | null;
          "open_holds": number;
          "phone_number": string | null;
          "transaction_count": number;
        };
        ComputedFields: never;
        Insert: {
          "created_at"?: string;
          "credits": number;
          "debt_credits"?: number;
          "erased_at"?: string | null;
          "frozen_at"?: string | null;
          "has_merged"?: boolean;
          "held_credits"?: number;
          "id"?: string;
          "is_without_welcome"?: boolean;
          "merged_into"?: string | null;
          "next_hold_expiry_at"?: string | null;
          "open_holds"?: number;
          "phone_number"?: string | null;
          "transaction_count": number;
        };
        Update: {
          "created_at"?: string;
          "credits"?: number;
          "debt_credits"?: number;
          "erased_at"?: string | null;
          "frozen_at"?: string | null;
          "has_merged"?: boolean;
          "held_credits"?: number;
          "id"?: string;
          "is_without_welcome"?: boolean;
          "merged_into"?: string | null;
          "next_hold_expiry_at"?: string | null;
          "open_holds"?: number;
          "phone_number"?: string | null;
          "transaction_count"?: number;
        };
        Relationships: [
          {
            foreignKeyName: "users_merged_into_fkey";
            columns: ["merged_into"];
            isOneToOne: false;
            referencedRelation: "users";
            referencedColumns: ["id"];
          },
        ];
      };
      "webhook_deliveries": {
        Row: {
          "event": string;
          "event_id": string | null;
          "finished_at": string | null;
          "id": number;
          "outcome": string | null;
          "payload": NonNullable<Json>;
          "razorpay_order_id": string | null;
          "razorpay_payment_id": string | null;
          "received_at": string;
        };
        ComputedFields: never;
        Insert: {
          "event": string;
          "event_id"?: string | null;
          "finished_at"?: string | null;
          "id"?: never;
          "outcome"?: string | null;
          "payload": NonNullable<Json>;
          "razorpay_order_id"?: string | null;
          "razorpay_payment_id"?: string | null;
          "received_at"?: string;
        };
        Update: {
          "event"?: string;
          "event_id"?: string | null;
          "finished_at"?: string | null;
          "id"?: never;
          "outcome"?: string | null;
          "payload"?: NonNullable<Json>;
          "razorpay_order_id"?: string | null;
          "razorpay_payment_id"?: string | null;
          "received_at"?: string;
        };
        Relationships: [];
      };
    };
    Views: {
      [_ in never]: never;
    };
    Functions: {
      "add_operator": {
        Args: { "email": string; "name": string; "role": string };
        Returns: {
          "outcome": string;
          "user_id": string;
        }[];
      };
      "adjust_credits": {
        Args: {
          "allow_debt"?: boolean;
          "credits": number;
          "operator": string;
          "operator_id"?: string;
          "reason": string;
          "reference_id": string;
          "user_id": string;
        };
        Returns: {
          "outcome": string;
          "result": Json;
        }[];
      };
      "ask_refund": {
        Args: {
          "amount_paise"?: number;
          "operator": string;
          "operator_id"?: string;
          "payment_id": string;
          "reason": string;
          "reference_id": string;
        };
        Returns: {
          "outcome": string;
          "refund_key": string;
          "refund_paise": number;
          "result": Json;
        }[];
      };
      "attach_payment_link": {
        Args: {
          "expires_at": string;
          "order_id": string;
          "razorpay_payment_link_id": string;
          "short_url": string;
        };
        Returns: {
          "stored_expires_at": string;
          "stored_short_url": string;
        }[];
      };
      "attach_razorpay_order": {
        Args: { "order_id": string; "razorpay_order_id": string };
        Returns: string;
      };
      "capture_credits": {
        Args: {
          "credits"?: number;
          "phone_number"?: string;
          "quantity"?: number;
          "reference_id"?: string;
          "whatsapp_user_id"?: string;
        };
        Returns: {
          "captured_credits": number;
          "done_message": string;
          "is_late": boolean;
          "low_balance": boolean;
          "outcome": string;
          "remaining_credits": number;
          "user_id": string;
        }[];
      };
      "check_invariants": {
        Args: { "since"?: string; "user_id"?: string };
        Returns: {
          "detail": string;
          "invariant": string;
          "subject": string;
        }[];
      };
      "claim_event_deliveries": {
        Args: { "batch_size": number; "url": string };
        Returns: {
          "address_id": number;
          "created_at": string;
          "credits": number;
          "data": Json;
          "event_id": string;
          "lease_token": string;
          "order_id": string;
          "package_id": string;
          "phone_number": string;
          "reference_id": string;
          "remaining_credits": number;
          "sequence_number": number;
          "type": string;
          "user_id": string;
          "whatsapp_user_id": string;
        }[];
      };
      "claim_orders_to_check": {
        Args: { "batch_size": number; "key_mode": string };
        Returns: {
          "order_id": string;
          "razorpay_order_id": string;
          "razorpay_payment_link_id": string;
        }[];
      };
      "count_wrong_secret": { Args: { "caller_address": string }; Returns: number };
      "deduct_credits": {
        Args: {
          "action"?: string;
          "credits"?: number;
          "identity_hashes"?: (string)[];
          "phone_number"?: string;
          "quantity"?: number;
          "reference_id"?: string;
          "whatsapp_user_id"?: string;
        };
        Returns: {
          "done_message": string;
          "low_balance": boolean;
          "needed_credits": number;
          "outcome": string;
          "remaining_credits": number;
          "reserved_credits": number;
          "user_id": string;
        }[];
      };
      "delete_abandoned_orders": { Args: Record<PropertyKey, never>; Returns: number };
      "delete_expired_rate_counters": { Args: Record<PropertyKey, never>; Returns: number };
      "delete_old_events": { Args: Record<PropertyKey, never>; Returns: number };
      "delete_old_holds": { Args: Record<PropertyKey, never>; Returns: number };
      "delete_old_webhooks": { Args: Record<PropertyKey, never>; Returns: number };
      "delete_unpaid_orders": { Args: Record<PropertyKey, never>; Returns: number };
      "disable_operator": {
        Args: { "email": string };
        Returns: {
          "outcome": string;
        }[];
      };
      "end_hold_by_hand": {
        Args: {
          "hold_reference_id": string;
          "operator": string;
          "operator_id"?: string;
          "reason": string;
          "reference_id": string;
          "user_id": string;
        };
        Returns: {
          "outcome": string;
          "result": Json;
        }[];
      };
      "erase_user": {
        Args: {
          "identity_hashes"?: Json;
          "operator": string;
          "operator_id"?: string;
          "reason": string;
          "user_id": string;
        };
        Returns: {
          "auth": string;
          "erased_at": string;
          "erased_user_id": string;
          "identities": (string)[];
          "outcome": string;
        }[];
      };
      "expire_holds": {
        Args: { "after_user_id"?: string; "batch_size": number };
        Returns: {
          "expired": number;
          "failed": number;
          "last_user_id": string;
          "users": number;
        }[];
      };
      "export_statement": {
        Args: { "max_entries": number; "since"?: string; "until"?: string; "user_id": string };
        Returns: {
          "closing_balance": number;
          "entries": Json;
          "opening_balance": number;
          "outcome": string;
        }[];
      };
      "find_customers": {
        Args: { "phone_numbers"?: (string)[]; "search": string };
        Returns: {
          "customers": Json;
          "unclaimed_orders": Json;
        }[];
      };
      "find_operator": {
        Args: { "session_id"?: string; "user_id": string };
        Returns: {
          "name": string;
          "outcome": string;
          "role": string;
        }[];
      };
      "find_order": {
        Args: {
          "caller_address"?: string;
          "is_proven"?: boolean;
          "phone_number"?: string;
          "razorpay_order_id": string;
        };
        Returns: {
          "balance_after_payment": number;
          "credits": number;
          "is_users_phone": boolean;
          "key_mode": string;
          "outcome": string;
          "package_id": string;
          "razorpay_payment_id": string;
          "remaining_after_payment": number;
          "retry_after_seconds": number;
          "user_id": string;
        }[];
      };
      "find_payments": {
        Args: { "search": string };
        Returns: {
          "life": Json;
          "order_id": string;
        }[];
      };
      "finish_event_delivery": {
        Args: {
          "address_id": number;
          "error"?: string;
          "event_id": string;
          "http_status"?: number;
          "lease_token": string;
          "retry_after_seconds"?: number;
        };
        Returns: string;
      };
      "finish_order_check": { Args: { "order_id": string }; Returns: undefined };
      "finish_refund": {
        Args: { "reference_id": string; "refund"?: Json; "refusal"?: string };
        Returns: {
          "outcome": string;
          "result": Json;
        }[];
      };
      "finish_webhook": { Args: { "delivery_id": number; "outcome": string }; Returns: undefined };
      "forgive_debt": {
        Args: {
          "credits"?: number;
          "operator": string;
          "operator_id"?: string;
          "reason": string;
          "reference_id": string;
          "user_id": string;
        };
        Returns: {
          "outcome": string;
          "result": Json;
        }[];
      };
      "freeze_user": {
        Args: {
          "operator": string;
          "operator_id"?: string;
          "reason": string;
          "reference_id": string;
          "user_id": string;
        };
        Returns: {
          "outcome": string;
          "result": Json;
        }[];
      };
      "get_customer": {
        Args: { "order_id"?: string; "user_id": string };
        Returns: {
          "customer": Json;
          "outcome": string;
        }[];
      };
      "get_user": {
        Args: {
          "caller_address"?: string;
          "identity_hashes"?: (string)[];
          "link_user_id"?: string;
          "phone_number"?: string;
          "whatsapp_user_id"?: string;
          "with_pending_orders"?: boolean;
        };
        Returns: {
          "created_at": string;
          "credits": number;
          "is_frozen": boolean;
          "low_balance": boolean;
          "outcome": string;
          "pending_orders": Json;
          "remaining_credits": number;
          "reserved_credits": number;
          "retry_after_seconds": number;
          "user_id": string;
        }[];
      };
      "hand_out_events": { Args: { "batch_size": number; "urls": (string)[] }; Returns: number };
      "list_actions_taken": {
        Args: {
          "before_action_id"?: number;
          "operator"?: string;
          "page_size": number;
          "user_id"?: string;
        };
        Returns: {
          "actions": Json;
          "next_cursor": number;
          "outcome": string;
        }[];
      };
      "list_attention": {
        Args: Record<PropertyKey, never>;
        Returns: {
          "amount_paise": number;
          "detail": string;
          "events_from": string;
          "kind": string;
          "order_id": string;
          "payment_id": string;
          "reference_id": string;
          "remedy": string;
          "since": string;
          "subject": string;
          "user_id": string;
        }[];
      };
      "list_credit_transactions": {
        Args: {
          "before_sequence_number"?: number;
          "is_public_reader"?: boolean;
          "page_size": number;
          "proven_phone_number"?: string;
          "user_id": string;
        };
        Returns: {
          "credits": number;
          "debt_credits": number;
          "is_frozen": boolean;
          "next_cursor": number;
          "outcome": string;
          "pending_orders": Json;
          "remaining_credits": number;
          "reserved_credits": number;
          "total": number;
          "transactions": Json;
        }[];
      };
      "list_entries": {
        Args: { "before_sequence_number"?: number; "page_size": number; "user_id": string };
        Returns: {
          "entries": Json;
          "next_cursor": number;
          "outcome": string;
          "total": number;
        }[];
      };
      "list_operators": {
        Args: Record<PropertyKey, never>;
        Returns: {
          "created_at": string;
          "disabled_at": string;
          "email": string;
          "name": string;
          "role": string;
          "user_id": string;
        }[];
      };
      "list_prices": {
        Args: Record<PropertyKey, never>;
        Returns: {
          "actions": Json;
          "packages": Json;
        }[];
      };
      "list_violations": {
        Args: Record<PropertyKey, never>;
        Returns: {
          "checked_at": string;
          "runs": Json;
          "violations": Json;
          "whole_run": Json;
        }[];
      };
      "merge_users": { Args: { "from_user_id": string; "into_user_id": string }; Returns: string };
      "merge_users_by_hand": {
        Args: {
          "from_user_id": string;
          "into_user_id": string;
          "operator": string;
          "operator_id"?: string;
          "reason": string;
          "reference_id": string;
        };
        Returns: {
          "outcome": string;
          "result": Json;
        }[];
      };
      "place_order": {
        Args: {
          "caller_address"?: string;
          "channel"?: string;
          "identity_hashes"?: (string)[];
          "is_proven"?: boolean;
          "key_mode": string;
          "package_id": string;
          "phone_number"?: string;
          "reference_id"?: string;
          "whatsapp_user_id"?: string;
        };
        Returns: {
          "amount_paise": number;
          "credits": number;
          "currency": string;
          "expires_at": string;
          "order_id": string;
          "outcome": string;
          "package_name": string;
          "razorpay_order_id": string;
          "retry_after_seconds": number;
          "short_url": string;
          "user_id": string;
        }[];
      };
      "receive_webhook": {
        Args: {
          "event": string;
          "event_id": string;
          "payload": string;
          "razorpay_order_id"?: string;
          "razorpay_payment_id"?: string;
        };
        Returns: number;
      };
      "record_operator_action": {
        Args: {
          "operator": string;
          "operator_id"?: string;
          "order_id": string;
          "outcome": string;
          "reason": string;
        };
        Returns: undefined;
      };
      "refresh_samples": { Args: Record<PropertyKey, never>; Returns: undefined };
      "release_hold": {
        Args: { "phone_number"?: string; "reference_id"?: string; "whatsapp_user_id"?: string };
        Returns: {
          "outcome": string;
          "released_credits": number;
          "remaining_credits": number;
          "user_id": string;
        }[];
      };
      "resend_events": {
        Args: {
          "created_before"?: string;
          "created_from"?: string;
          "event_id"?: string;
          "operator": string;
          "operator_id"?: string;
          "reason": string;
          "reference_id": string;
        };
        Returns: {
          "outcome": string;
          "result": Json;
        }[];
      };
      "reserve_credits": {
        Args: {
          "action"?: string;
          "credits"?: number;
          "expires_in_seconds"?: number;
          "identity_hashes"?: (string)[];
          "phone_number"?: string;
          "quantity"?: number;
          "reference_id"?: string;
          "whatsapp_user_id"?: string;
        };
        Returns: {
          "expires_at": string;
          "needed_credits": number;
          "outcome": string;
          "remaining_credits": number;
          "reserved_credits": number;
          "state": string;
          "user_id": string;
        }[];
      };
      "run_book_check": {
        Args: { "max_changes"?: number; "whole"?: boolean };
        Returns: {
          "outcome": string;
          "violation_count": number;
        }[];
      };
      "sales_report": {
        Args: { "end_day": string; "first_day": string };
        Returns: {
          "actions": Json;
          "days": Json;
        }[];
      };
      "settle_payment": {
        Args: {
          "amount_paise": number;
          "currency": string;
          "identity_hashes"?: (string)[];
          "payment_status": string;
          "razorpay_order_id": string;
          "razorpay_payment_id": string;
          "receipt"?: string;
          "reversals"?: Json;
        };
        Returns: {
          "credits_added": number;
          "outcome": string;
          "phone_number": string;
          "remaining_credits": number;
          "whatsapp_user_id": string;
        }[];
      };
      "unfreeze_user": {
        Args: {
          "operator": string;
          "operator_id"?: string;
          "reason": string;
          "reference_id": string;
          "user_id": string;
        };
        Returns: {
          "outcome": string;
          "result": Json;
        }[];
      };
    };
    Enums: {
      "hold_state": "open" | "captured" | "released" | "expired";
    };
    CompositeTypes: {
      [_ in never]: never;
    };
  };
};

type DatabaseWithoutInternals = Omit<Database, "__InternalSupabase">;

type DefaultSchema = DatabaseWithoutInternals[Extract<keyof Database, "public">];

export type Tables<
  DefaultSchemaTableNameOrOptions extends
    | keyof (DefaultSchema["Tables"] & DefaultSchema["Views"])
    | { schema: keyof DatabaseWithoutInternals },
  TableName extends DefaultSchemaTableNameOrOptions extends {
    schema: keyof DatabaseWithoutInternals;
  } ? keyof (
      & DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Tables"]
      & DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Views"]
    )
    : never = never,
> = DefaultSchemaTableNameOrOptions extends { schema: keyof DatabaseWithoutInternals } ? (
    & DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Tables"]
    & DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Views"]
  )[TableName] extends {
    Row: infer R;
  } ? R
  : never
  : DefaultSchemaTableNameOrOptions extends keyof (DefaultSchema["Tables"] & DefaultSchema["Views"])
    ? (DefaultSchema["Tables"] & DefaultSchema["Views"])[DefaultSchemaTableNameOrOptions] extends {
      Row: infer R;
    } ? R
    : never
  : never;

export type TablesInsert<
  DefaultSchemaTableNameOrOptions extends
    | keyof DefaultSchema["Tables"]
    | { schema: keyof DatabaseWithoutInternals },
  TableName extends DefaultSchemaTableNameOrOptions extends {
    schema: keyof DatabaseWithoutInternals;
  } ? keyof DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Tables"]
    : never = never,
> = DefaultSchemaTableNameOrOptions extends { schema: keyof DatabaseWithoutInternals }
  ? DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Tables"][TableName] extends
    {
      Insert: infer I;
    } ? I
  : never
  : DefaultSchemaTableNameOrOptions extends keyof DefaultSchema["Tables"]
    ? DefaultSchema["Tables"][DefaultSchemaTableNameOrOptions] extends {
      Insert: infer I;
    } ? I
    : never
  : never;

export type TablesUpdate<
  DefaultSchemaTableNameOrOptions extends
    | keyof DefaultSchema["Tables"]
    | { schema: keyof DatabaseWithoutInternals },
  TableName extends DefaultSchemaTableNameOrOptions extends {
    schema: keyof DatabaseWithoutInternals;
  } ? keyof DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Tables"]
    : never = never,
> = DefaultSchemaTableNameOrOptions extends { schema: keyof DatabaseWithoutInternals }
  ? DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Tables"][TableName] extends
    {
      Update: infer U;
    } ? U
  : never
  : DefaultSchemaTableNameOrOptions extends keyof DefaultSchema["Tables"]
    ? DefaultSchema["Tables"][DefaultSchemaTableNameOrOptions] extends {
      Update: infer U;
    } ? U
    : never
  : never;

export type Enums<
  DefaultSchemaEnumNameOrOptions extends
    | keyof DefaultSchema["Enums"]
    | { schema: keyof DatabaseWithoutInternals },
  EnumName extends DefaultSchemaEnumNameOrOptions extends {
    schema: keyof DatabaseWithoutInternals;
  } ? keyof DatabaseWithoutInternals[DefaultSchemaEnumNameOrOptions["schema"]]["Enums"]
    : never = never,
> = DefaultSchemaEnumNameOrOptions extends { schema: keyof DatabaseWithoutInternals }
  ? DatabaseWithoutInternals[DefaultSchemaEnumNameOrOptions["schema"]]["Enums"][EnumName]
  : DefaultSchemaEnumNameOrOptions extends keyof DefaultSchema["Enums"]
    ? DefaultSchema["Enums"][DefaultSchemaEnumNameOrOptions]
  : never;

export type CompositeTypes<
  PublicCompositeTypeNameOrOptions extends
    | keyof DefaultSchema["CompositeTypes"]
    | { schema: keyof DatabaseWithoutInternals },
  CompositeTypeName extends PublicCompositeTypeNameOrOptions extends {
    schema: keyof DatabaseWithoutInternals;
  } ? keyof DatabaseWithoutInternals[PublicCompositeTypeNameOrOptions["schema"]]["CompositeTypes"]
    : never = never,
> = PublicCompositeTypeNameOrOptions extends { schema: keyof DatabaseWithoutInternals }
  ? DatabaseWithoutInternals[PublicCompositeTypeNameOrOptions["schema"]]["CompositeTypes"][
    CompositeTypeName
  ]
  : PublicCompositeTypeNameOrOptions extends keyof DefaultSchema["CompositeTypes"]
    ? DefaultSchema["CompositeTypes"][PublicCompositeTypeNameOrOptions]
  : never;

export const Constants = {
  "public": {
    Enums: {
      "hold_state": ["open", "captured", "released", "expired"],
    },
  },
} as const;
