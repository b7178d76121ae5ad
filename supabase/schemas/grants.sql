-- The access matrix: every right that a role of the Data API has. What is not granted here is refused.

-- A page without a session reads the price lists; one with a session, its own user and history too.
grant select on public.packages            to anon, authenticated;
grant select on public.action_prices       to anon, authenticated;
grant select on public.users               to authenticated;
grant select on public.credit_transactions to authenticated;

-- The policies ask who is signed in, as the role that reads.
grant usage on schema private                      to authenticated;
grant execute on function private.session_user_id to authenticated;

-- The Edge Functions hold the secret key. Nobody else calls a function.
grant execute on function
  public.add_operator,
  public.adjust_credits,
  public.ask_refund,
  public.attach_payment_link,
  public.attach_razorpay_order,
  public.capture_credits,
  public.check_invariants,
  public.claim_event_deliveries,
  public.claim_orders_to_check,
  public.count_wrong_secret,
  public.deduct_credits,
  public.delete_abandoned_orders,
  public.delete_expired_rate_counters,
  public.delete_old_events,
  public.delete_old_holds,
  public.delete_old_webhooks,
  public.delete_unpaid_orders,
  public.disable_operator,
  public.end_hold_by_hand,
  public.erase_user,
  public.expire_holds,
  public.export_statement,
  public.find_customers,
  public.find_operator,
  public.find_order,
  public.find_payments,
  public.finish_event_delivery,
  public.finish_order_check,
  public.finish_refund,
  public.finish_webhook,
  public.forgive_debt,
  public.freeze_user,
  public.get_customer,
  public.get_user,
  public.hand_out_events,
  public.list_actions_taken,
  public.list_attention,
  public.list_credit_transactions,
  public.list_operators,
  public.list_entries,
  public.list_prices,
  public.list_violations,
  public.merge_users,
  public.merge_users_by_hand,
  public.place_order,
  public.receive_webhook,
  public.record_operator_action,
  public.refresh_samples,
  public.release_hold,
  public.resend_events,
  public.reserve_credits,
  public.run_book_check,
  public.sales_report,
  public.settle_payment,
  public.unfreeze_user
to service_role;
