-- Gifts and schedules in one shape: what is asked of both is when they were made, by whom, and for which campaign.
-- A view: each of its readers takes a few of its columns.
{{ config(materialized='view') }}
select
    organization,
    'gift' as entity,
    gift_id as record_id,
    donor_id,
    amount,
    coalesce(created_at, first_extracted_at) as created_at,
    created_at is not null as is_created_at_known,
    coalesce(greatest(created_at, modified_at), extracted_at) as changed_at,
    status_group in ('settled', 'reversed')
    and not is_deleted
    and (not is_test_mode or {{ var('include_test_mode') }}) as is_activity,
    {{ campaign_lookup_key(['campaign_id', 'segment_id', 'segment_code', 'segment_name', 'segment', 'campaign_name']) }}
        as campaign_lookup_key,
    campaign_id,
    segment_id,
    segment_code,
    segment_name,
    segment,
    campaign_name
from {{ ref('stg_raise__gifts') }}
union all
select
    organization,
    'recurring_gift' as entity,
    recurring_gift_id as record_id,
    donor_id,
    amount,
    coalesce(created_at, first_extracted_at) as created_at,
    created_at is not null as is_created_at_known,
    coalesce(greatest(created_at, modified_at), extracted_at) as changed_at,
    not is_deleted and (not is_test_mode or {{ var('include_test_mode') }}) as is_activity,
    {{ campaign_lookup_key(['campaign_id', 'segment_id', 'segment_code', 'segment_name', "''", 'campaign_name']) }}
        as campaign_lookup_key,
    campaign_id,
    segment_id,
    segment_code,
    segment_name,
    null as segment,
    campaign_name
from {{ ref('stg_raise__recurring_gifts') }}
